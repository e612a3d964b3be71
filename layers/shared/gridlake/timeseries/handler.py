"""`InfluxDBHandler`: one face over InfluxDB 1, 2 and 3 for writing, InfluxQL queries and deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from gridlake.platform.errors import PermanentError
from gridlake.timeseries.credentials import (
    Credentials,
    CredentialsSource,
    FixedCredentials,
    SecretCredentials,
)

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings

Epoch = Literal["ns", "u", "ms", "s"]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a query's answer.

    Attributes
    ----------
    name
        Measurement.
    tags
        Values of the GROUP BY tags; an absent tag is an empty string.
    columns
        Column names, ``time`` first.
    values
        Rows in column order; times are integers since the epoch in the unit asked for. InfluxDB prints whole floats
        without a point, so they come as integers: `float` gives the exact value back.
    """

    name: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Deletion:
    """Points of one measurement to delete: those in a time range whose tags are exactly these.

    Attributes
    ----------
    start, stop
        First and last instant, both inclusive, in nanoseconds since the epoch (UTC).
    tags
        Tags the points must have; an empty value asks for points without that tag. Empty means every series.
    """

    measurement: str
    start: int
    stop: int
    tags: Mapping[str, str] = field(default_factory=dict)


class Server(Protocol):
    """What each version implements."""

    def write(self, payload: bytes | memoryview) -> None:
        """Write lines with times in nanoseconds."""
        ...

    def query(self, statement: str, params: Mapping[str, Any] | None, epoch: Epoch) -> Iterator[Series]:
        """Run InfluxQL."""
        ...

    def csv(self, statement: str) -> bytes:
        """Run one SELECT and give CSV."""
        ...

    def delete(self, deletions: Sequence[Deletion]) -> None:
        """Delete points."""
        ...

    def ping(self) -> str:
        """Version of the server."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class InfluxDBHandler:
    """A connection to one database of one InfluxDB server; safe to share between threads, kept across invocations.

    Parameters
    ----------
    url
        Address of the server.
    version
        1 (``/write``, ``/query``), 2 (influxdb-client for writes and deletes, InfluxQL through ``/query``, which needs
        a DBRP mapping of `database`) or 3 (``/api/v3/write_lp``, InfluxQL through the compatible ``/query``).
    database
        Database (1, 3) or bucket (2).
    credentials
        Credentials, or where to get them; none for a server without authorisation.
    org
        Organisation, version 2 only.
    budget
        Seconds spent on retries of one request, counted from its first failure. One attempt more may be under way.
    read_timeout
        Seconds to wait for an answer in one attempt.
    """

    def __init__(
        self,
        *,
        url: str,
        database: str,
        version: int = 1,
        credentials: Credentials | CredentialsSource | None = None,
        org: str = "",
        budget: float = 30.0,
        read_timeout: float = 30.0,
    ) -> None:
        source = credentials or Credentials()
        if isinstance(source, Credentials):
            source = FixedCredentials(source)
        self.version = version
        self.database = database
        common: dict[str, Any] = {
            "url": url,
            "database": database,
            "credentials": source,
            "budget": budget,
            "read_timeout": read_timeout,
        }
        self._server: Server
        match version:
            case 1:
                from gridlake.timeseries._v1 import ServerV1

                self._server = ServerV1(**common)
            case 2:
                from gridlake.timeseries._v2 import ServerV2

                self._server = ServerV2(org=org, **common)
            case 3:
                from gridlake.timeseries._v3 import ServerV3

                self._server = ServerV3(**common)
            case _:
                raise PermanentError(
                    f"InfluxDB version {version} is unknown", code="invalid_setting", hint="use 1, 2 or 3"
                )

    @classmethod
    def from_settings(cls, settings: Settings, *, budget: float = 30.0, read_timeout: float = 30.0) -> Self:
        """The handler of this environment, with the credentials of its secret."""
        return cls(
            url=settings.influx_url,
            version=int(settings.influx_version),
            database=settings.influx_database,
            org=settings.influx_org,
            credentials=SecretCredentials(settings.influx_secret_arn),
            budget=budget,
            read_timeout=read_timeout,
        )

    def write(self, payload: bytes | memoryview) -> None:
        """Write lines of line protocol whose times are in nanoseconds. Writing them again changes nothing.

        Raises
        ------
        InfluxRefusedError
            The server refuses lines; it may have written the others (its `lines` and `dropped` say what it told).
        InfluxUnavailableError
            The server does not answer or is overloaded, also after the retries.
        InfluxCredentialsError
            The credentials are wrong or lack the permission.
        """
        if len(payload):
            self._server.write(payload)

    def query(
        self, influxql: str, *, params: Mapping[str, Any] | None = None, epoch: Epoch = "ns"
    ) -> list[Series]:
        """Run InfluxQL and return every series of the answer, statement after statement.

        An unknown measurement, tag or field is no error to InfluxDB: it gives no series. Check against the contract.

        Parameters
        ----------
        influxql
            One statement or several, separated by ``;``.
        params
            Values of the ``$name`` placeholders in WHERE clauses.
        epoch
            Unit of the times in the answer.

        Raises
        ------
        InfluxRefusedError, InfluxUnavailableError, InfluxCredentialsError
            As `write`.
        """
        return list(self._server.query(influxql, params, epoch))

    def csv(self, influxql: str) -> bytes:
        """Run one InfluxQL SELECT and return its answer as CSV with times in nanoseconds.

        The columns are ``name``, ``tags``, ``time`` and those selected. No series at all gives an empty body.
        """
        return self._server.csv(influxql)

    def delete(
        self, measurement: str, *, start: int, stop: int, tags: Mapping[str, str] | None = None
    ) -> None:
        """Delete the points of a measurement in a time range, of all series or of those with the given tags.

        Parameters
        ----------
        start, stop
            First and last instant, both inclusive, in nanoseconds since the epoch (UTC).
        tags
            Tags the points must have; an empty value asks for points without that tag.

        Raises
        ------
        InfluxUnsupportedError
            The server is of version 3, which can't delete points.
        """
        self.delete_all([Deletion(measurement, start, stop, dict(tags or {}))])

    def delete_all(self, deletions: Sequence[Deletion]) -> None:
        """Delete several sets of points in as few requests as the server allows. Doing it again changes nothing."""
        if deletions:
            self._server.delete(deletions)

    def series_keys(self, measurement: str) -> set[str]:
        """The series that the server holds for a measurement, as escaped ``measurement,tag=value,…``."""
        answer = self.query(f"SHOW SERIES FROM {quote_identifier(measurement)}")
        return {row[0] for series in answer for row in series.values}

    def ping(self) -> str:
        """Version that the server tells.

        Raises
        ------
        InfluxUnavailableError
            The server does not answer.
        """
        return self._server.ping()

    def close(self) -> None:
        """Close the kept connections."""
        self._server.close()


def quote_identifier(name: str) -> str:
    """A measurement, tag or field name as InfluxQL writes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def quote_string(text: str) -> str:
    """A string literal as InfluxQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
