"""AWS clients: one per service and process, with the same retries and timeouts everywhere.

boto3 itself honours ``AWS_ENDPOINT_URL``, so the same code speaks to a local AWS.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
MAX_ATTEMPTS = 4
POOL_CONNECTIONS = 16

_lock = threading.Lock()
_clients: dict[str, Any] = {}


def client(service: str) -> Any:
    """The client of a service (``"s3"``, ``"dynamodb"`` …), made at first use and shared by all threads.

    boto3 is imported here and not with the module: it costs an API function more than all its own imports.
    """
    with _lock:
        found = _clients.get(service)
        if found is None:
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "max_attempts": MAX_ATTEMPTS},
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                max_pool_connections=POOL_CONNECTIONS,
                tcp_keepalive=True,
            )
            found = _clients[service] = _session().client(service, config=config)
        return found


@cache
def _session() -> Any:
    """One session reads botocore's files of endpoints and retries once for all clients."""
    import boto3

    return boto3.session.Session()


def reset() -> None:
    """Forget the clients, because the endpoint or the credentials changed."""
    with _lock:
        _clients.clear()
        _session.cache_clear()
