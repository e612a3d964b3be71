"""InfluxDB 2: writes and deletes by influxdb-client, InfluxQL through the compatible ``/query``.

influxdb-client has no InfluxQL method, and loading it takes long, so queries go over our own transport and the client
is loaded by the first write or delete only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import urllib3

from gridlake.timeseries._transport import Transport, is_loopback, raise_for_answer
from gridlake.timeseries._v1 import QueryEndpoint
from gridlake.timeseries._v2_session import TokenCredentials
from gridlake.timeseries.credentials import CredentialsSource
from gridlake.timeseries.errors import InfluxUnavailableError
from gridlake.timeseries.handler import Deletion, Epoch, Series

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient


class ServerV2:
    """A server of version 2; `database` is the bucket, whose (virtual) DBRP mapping has its name in InfluxQL."""

    def __init__(
        self,
        *,
        url: str,
        database: str,
        credentials: CredentialsSource,
        budget: float,
        read_timeout: float,
        org: str,
    ) -> None:
        self._tokens = TokenCredentials(
            credentials, url=url, org=org, bucket=database, budget=budget, read_timeout=read_timeout
        )
        self._transport = Transport(
            url=url, credentials=self._tokens, scheme="Token", budget=budget, read_timeout=read_timeout
        )
        self._bucket = database
        self._org = org
        self._read_timeout = read_timeout
        self._queries = QueryEndpoint(self._transport, database)
        self._client: InfluxDBClient | None = None
        self._lock = threading.Lock()

    def write(self, payload: bytes | memoryview) -> None:
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.domain.write_precision import WritePrecision

        lines = bytes(payload)
        self._call(
            lambda client: client.write_api(write_options=SYNCHRONOUS).write(
                self._bucket, self._org, lines, cast(Any, WritePrecision.NS)
            ),
            doing=f"writing to {self._bucket}",
        )

    def query(self, statement: str, params: Mapping[str, Any] | None, epoch: Epoch) -> Iterator[Series]:
        return self._queries.run(statement, params, epoch)

    def csv(self, statement: str) -> bytes:
        return self._queries.csv(statement)

    def delete(self, deletions: Sequence[Deletion]) -> None:
        for deletion in deletions:
            self._call(partial(self._delete_one, deletion), doing=f"deleting from {self._bucket}")

    def ping(self) -> str:
        answer = self._transport.request("GET", "/ping", doing="asking for its version")
        return str(answer.headers.get("X-Influxdb-Version", "unknown"))

    def close(self) -> None:
        if self._client is not None:
            cast(Any, self._client).close()
        self._transport.close()
        self._tokens.close()

    def _delete_one(self, deletion: Deletion, client: InfluxDBClient) -> None:
        predicate = " AND ".join(
            f"{_quoted(name)}={_quoted(value)}"
            for name, value in [("_measurement", deletion.measurement), *sorted(deletion.tags.items())]
        )
        # The server deletes both ends; instants are text because datetime stops at microseconds.
        client.delete_api().delete(
            _rfc3339(deletion.start), _rfc3339(deletion.stop), predicate, self._bucket, self._org
        )

    def _call(self, action: Callable[[InfluxDBClient], Any], *, doing: str) -> None:
        from influxdb_client.rest import ApiException

        for refresh in (False, True):
            try:
                action(self._connected(refresh=refresh))
            except ApiException as error:
                if error.status == 401 and not refresh:
                    continue
                raise_for_answer(error.status or 0, error.body or "", dict(error.headers or {}), doing=doing)
            except urllib3.exceptions.HTTPError as error:
                raise InfluxUnavailableError(f"InfluxDB does not answer while {doing}: {error}") from error
            else:
                return

    def _connected(self, *, refresh: bool) -> InfluxDBClient:
        from influxdb_client.client.influxdb_client import InfluxDBClient

        with self._lock:
            if self._client is None or refresh:
                credentials = self._transport.credentials(refresh=refresh)
                self._client = InfluxDBClient(
                    url=self._transport.url,
                    token=credentials.token or "",
                    org=self._org,
                    timeout=int(self._read_timeout * 1000),
                    retries=self._transport.retries,
                    enable_gzip=not is_loopback(self._transport.url),
                )
            return self._client


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
