"""InfluxDB 3: ``/api/v3/write_lp``, InfluxQL through the compatible ``/query``; points can't be deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gridlake.timeseries._transport import Transport
from gridlake.timeseries._v1 import QueryEndpoint
from gridlake.timeseries.credentials import CredentialsSource
from gridlake.timeseries.errors import InfluxUnsupportedError
from gridlake.timeseries.handler import Deletion, Epoch, Series


class ServerV3:
    """A server of version 3."""

    def __init__(
        self, *, url: str, database: str, credentials: CredentialsSource, budget: float, read_timeout: float
    ) -> None:
        self._transport = Transport(
            url=url, credentials=credentials, scheme="Bearer", budget=budget, read_timeout=read_timeout
        )
        self._database = database
        self._queries = QueryEndpoint(self._transport, database)

    def write(self, payload: bytes | memoryview) -> None:
        self._transport.request(
            "POST",
            "/api/v3/write_lp",
            query={"db": self._database, "precision": "nanosecond", "accept_partial": "true"},
            body=payload,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            doing=f"writing to {self._database}",
        )

    def query(self, statement: str, params: Mapping[str, Any] | None, epoch: Epoch) -> Iterator[Series]:
        return self._queries.run(statement, params, epoch)

    def csv(self, statement: str) -> bytes:
        return self._queries.csv(statement)

    def delete(self, deletions: Sequence[Deletion]) -> None:
        raise InfluxUnsupportedError(
            f"InfluxDB 3 can't delete points (asked to, of {deletions[0].measurement})",
            hint="drop and reload the table, or use a server of version 1 or 2 for datasets that are revised",
        )

    def ping(self) -> str:
        answer = self._transport.request("GET", "/ping", doing="asking for its version")
        return str(answer.headers.get("X-Influxdb-Version", "unknown"))

    def close(self) -> None:
        self._transport.close()
