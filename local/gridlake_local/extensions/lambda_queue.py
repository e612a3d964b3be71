"""Calls of one function wait for a free worker instead of starting one process each.

Stock: 50 uploads at once start 52 processes (4.3 GB). AWS scales out there; one machine can't, so a function has a few places
(GRIDLAKE_LAMBDA_CONCURRENCY, default 4) and further calls queue. Reserved concurrency still throttles before this queue. A function
that waits for itself would hang here: this application has none.

Wraps ``services.lambda_svc._execute_function_warm``.
"""

from __future__ import annotations

import collections
import os
import threading
from typing import Any

from gridlake_local.extensions import require


def apply() -> None:
    """Bound the processes of each function."""
    from ministack.services import lambda_svc

    execute = require(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
    places = int(os.environ.get("GRIDLAKE_LAMBDA_CONCURRENCY", "4"))
    free: dict[str, threading.Semaphore] = collections.defaultdict(lambda: threading.Semaphore(places))
    registry = threading.Lock()

    def wait_then_execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        config = func.get("config") or func
        with registry:
            place = free[config.get("FunctionArn") or config.get("FunctionName", "")]
        with place:
            result: dict[str, Any] = execute(func, event, request_id)
        return result

    lambda_svc._execute_function_warm = wait_then_execute
