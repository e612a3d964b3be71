"""InfluxDB 1: ``/write`` and ``/query``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gridlake.timeseries._transport import Transport, raise_for_statement
from gridlake.timeseries.credentials import CredentialsSource
from gridlake.timeseries.errors import InfluxRefusedError
from gridlake.timeseries.handler import Deletion, Epoch, Series, quote_identifier, quote_string

DELETES_IN_A_REQUEST = 200


class QueryEndpoint:
    """InfluxQL over ``/query``: native in version 1, compatible interface of 2 and 3."""

    def __init__(self, transport: Transport, database: str) -> None:
        self._transport = transport
        self._database = database

    def run(self, statement: str, params: Mapping[str, Any] | None, epoch: Epoch) -> Iterator[Series]:
        """The series of a statement's answer.

        Raises
        ------
        InfluxRefusedError
            The statement is refused, or the server cut the answer at its row limit (`influx_answer_truncated`).
        """
        # Chunked: an answer in one piece ends at the server's row limit, and 1.6 to 1.8 mark a series of more than
        # 10,000 rows as cut although it is whole. The body is read to its end first, so that a retry repeats it all.
        fields = {"db": self._database, "q": statement, "epoch": epoch, "chunked": "true"}
        if params:
            fields["params"] = json.dumps(params)
        answer = self._transport.request(
            "POST", "/query", form=fields, headers={"Accept": "application/json"}, doing="querying"
        )
        return _series(answer.data.splitlines())

    def csv(self, statement: str) -> bytes:
        """The answer of one SELECT as CSV."""
        answer = self._transport.request(
            "POST",
            "/query",
            form={"db": self._database, "q": statement, "epoch": "ns"},
            headers={"Accept": "application/csv"},
            doing="reading series",
        )
        body: bytes = answer.data
        if body.startswith(b"error\n"):
            raise_for_statement(body[6:].decode("utf-8", "replace").strip(), doing="reading series")
        return body


def _series(documents: Iterable[bytes]) -> Iterator[Series]:
    """Series of a chunked answer: a document a line, a long series in several of them."""
    series: Series | None = None
    rows: list[Sequence[Any]] = []
    statement, more = 0, False
    for document in documents:
        for number, chunk in _chunks(json.loads(document)):
            found = Series(
                chunk.get("name", ""),
                chunk.get("tags") or {},
                tuple(chunk.get("columns", ())),
                chunk.get("values") or [],
            )
            if series and more and number == statement and _continues(series, found):
                rows.extend(found.values)
            else:
                if series:
                    yield _whole(series, more)
                rows = list(found.values)
                series, statement = replace(found, values=rows), number
            more = bool(chunk.get("partial"))
    if series:
        yield _whole(series, more)


def _continues(series: Series, found: Series) -> bool:
    return (series.name, series.tags, series.columns) == (found.name, found.tags, found.columns)


def _chunks(document: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    if "error" in document:
        raise_for_statement(document["error"], doing="querying")
    for result in document.get("results", ()):
        if "error" in result:
            raise_for_statement(result["error"], doing="querying")
        for chunk in result.get("series", ()):
            yield result.get("statement_id", 0), chunk


def _whole(series: Series, more: bool) -> Series:
    if more:
        raise InfluxRefusedError(
            "InfluxDB cut the answer at its row limit",
            http_status=200,
            reason="max-row-limit",
            code="influx_answer_truncated",
            hint="ask for a shorter range",
        )
    return series


class ServerV1:
    """A server of version 1."""

    def __init__(
        self, *, url: str, database: str, credentials: CredentialsSource, budget: float, read_timeout: float
    ) -> None:
        self._transport = Transport(
            url=url, credentials=credentials, scheme="Basic", budget=budget, read_timeout=read_timeout
        )
        self._database = database
        self._queries = QueryEndpoint(self._transport, database)

    def write(self, payload: bytes | memoryview) -> None:
        # "ns" is understood by every 1.x; "us" would silently be taken for nanoseconds.
        self._transport.request(
            "POST",
            "/write",
            query={"db": self._database, "precision": "ns"},
            body=payload,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            doing=f"writing to {self._database}",
        )

    def query(self, statement: str, params: Mapping[str, Any] | None, epoch: Epoch) -> Iterator[Series]:
        return self._queries.run(statement, params, epoch)

    def csv(self, statement: str) -> bytes:
        return self._queries.csv(statement)

    def delete(self, deletions: Sequence[Deletion]) -> None:
        for first in range(0, len(deletions), DELETES_IN_A_REQUEST):
            statements = map(delete_statement, deletions[first : first + DELETES_IN_A_REQUEST])
            list(self._queries.run(";".join(statements), None, "ns"))

    def ping(self) -> str:
        answer = self._transport.request("GET", "/ping", doing="asking for its version")
        return str(answer.headers.get("X-Influxdb-Version", "unknown"))

    def close(self) -> None:
        self._transport.close()


def delete_statement(deletion: Deletion) -> str:
    """InfluxQL that deletes points."""
    conditions = [
        *(f"{quote_identifier(tag)} = {quote_string(value)}" for tag, value in sorted(deletion.tags.items())),
        f"time >= {deletion.start}",
        f"time <= {deletion.stop}",
    ]
    return " ".join(
        ("DELETE FROM", quote_identifier(deletion.measurement), "WHERE", " AND ".join(conditions))
    )
