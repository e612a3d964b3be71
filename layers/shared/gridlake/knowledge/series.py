"""Executing a typed question on InfluxDB and shaping the answer."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from gridlake.questions.influxql import plan as plan_influxql
from gridlake.questions.ir import MAX_LIMIT, Aggregate, SeriesQuery
from gridlake.questions.plan import Plan, Row, TooLargeError, nanoseconds
from gridlake.timeseries.deadline import finishing_within
from gridlake.timeseries.errors import InfluxUnavailableError

if TYPE_CHECKING:
    from gridlake.timeseries.handler import Series

STATEMENTS_PER_REQUEST = 40
MAX_ROWS = 400_000
"""Rows fetched for one answer; more means that it is grouped by too many series."""

DEADLINE_SECONDS = 24.0
"""What all requests of a question may take together: less than the 29 seconds of API Gateway."""

PATIENCE_SECONDS = 15.0
"""A failure after this long is the question's, not the server's."""


class TimedOutError(TooLargeError):
    """The question took longer than an API request may."""

    code = "query_timed_out"


class Querying(Protocol):
    """What is needed of `gridlake.timeseries.handler.InfluxDBHandler`."""

    def query(self, influxql: str) -> list[Series]:
        """Series of all statements, in their order."""
        ...


def execute(query: SeriesQuery, handler: Querying) -> dict[str, Any]:
    """The answer of a question.

    Parameters
    ----------
    query
        Checked against the contract of its dataset.
    handler
        Connection to InfluxDB.

    Returns
    -------
    dict
        `dataset`, `columns` (name, type, unit), `rows` (time as ISO 8601 with the local offset, tags, values),
        `row_count`, `truncated` (rows beyond the limit exist), `unit` by measure, `query` (dialect and text),
        `zone`, `took_ms`, `notices`.

    Raises
    ------
    TooLargeError
        Too many windows or series, or it took too long.
    InfluxUnavailableError, InfluxRefusedError
        By the server.
    """
    began = time.perf_counter()
    plan = plan_influxql(query)
    try:
        with finishing_within(DEADLINE_SECONDS):
            rows = _fetch(query, plan, handler)
    except InfluxUnavailableError as error:
        # Attempts end long before, so a failure this late is an answer that did not come in time.
        if time.perf_counter() - began < PATIENCE_SECONDS:
            raise
        raise TimedOutError(
            f"the query took more than {PATIENCE_SECONDS:.0f} s",
            hint="ask for a shorter range or wider windows",
        ) from error
    if plan.operator is not None:
        rows = plan.operator.apply(rows)
    rows = [row for row in rows if any(value is not None for value in row.values)]
    rows.sort(key=lambda row: row.tags)
    rows.sort(key=lambda row: row.time, reverse=query.order == "desc")
    truncated = len(rows) > query.limit
    rows = rows[: query.limit]
    notices = [*query.notices, *plan.notices]
    if not rows:
        notices.append("no data in this range")
    if truncated:
        notices.append(
            f"only the first {query.limit:,} rows: ask for a shorter range or a wider window for the rest"
        )
    text = plan.statements[0] if len(plan.statements) == 1 else list(plan.statements)
    return {
        "dataset": query.dataset,
        "columns": _columns(query),
        "rows": _shaped(rows, query, plan.scale),
        "row_count": len(rows),
        "truncated": truncated,
        "unit": {term.name: term.output_unit for term in query.measures if term.output_unit},
        "query": {"dialect": "influxql", "text": text},
        "zone": query.zone,
        "took_ms": round((time.perf_counter() - began) * 1000, 1),
        "notices": notices,
    }


def _fetch(query: SeriesQuery, plan: Plan, handler: Querying) -> list[Row]:
    """Rows of the statements in order, until there are more than the limit."""
    rows: list[Row] = []
    for statements in batched(plan.statements, STATEMENTS_PER_REQUEST, strict=False):
        for series in handler.query(";\n".join(statements)):
            rows.extend(_rows(series, query, plan.label))
            if len(rows) > MAX_ROWS:
                raise TooLargeError(
                    f"the answer needs more than {MAX_ROWS:,} rows of the server",
                    hint="filter, group by fewer tags, or ask for a shorter range",
                )
        if len(rows) > query.limit and not plan.complete:
            break
    if plan.cuts_instants and len(rows) > query.limit:
        rows = _with_whole_last_instant(rows, query, handler)
    return rows


def _with_whole_last_instant(rows: list[Row], query: SeriesQuery, handler: Querying) -> list[Row]:
    """The rows with every series of the last instant that the limit reaches.

    A server that cuts native rows at a limit chooses by itself which series of one instant it still gives; the answer
    must not depend on that.
    """
    last = rows[query.limit - 1].time
    microseconds = dt.timedelta(microseconds=last // 1_000)
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + microseconds
    instant = replace(query, start=start, end=start + dt.timedelta(microseconds=1), limit=MAX_LIMIT)
    whole = [
        row
        for statement in plan_influxql(instant).statements
        for series in handler.query(statement)
        for row in _rows(series, query, None)
        if row.time == last
    ]
    # One row beyond the limit says that there are more, wherever in time they are.
    return [*(row for row in rows if row.time != last), *whole]


def _rows(series: Series, query: SeriesQuery, label: dt.datetime | None) -> Iterable[Row]:
    where = {name: position for position, name in enumerate(series.columns)}
    values = [where[term.name] for term in query.measures]
    columns = [where.get(tag) for tag in query.group_by]
    fixed = tuple(series.tags.get(tag, "") for tag in query.group_by)
    stamp = nanoseconds(label) if label else None
    for row in series.values:
        tags = tuple(
            fixed[index] if position is None else str(row[position] or "")
            for index, position in enumerate(columns)
        )
        found = [row[position] for position in values]
        if query.aggregate is Aggregate.COUNT:
            found = [value or 0 for value in found]
        yield Row(row[0] if stamp is None else stamp, tags, found)


def _columns(query: SeriesQuery) -> list[dict[str, Any]]:
    number = "integer" if query.aggregate is Aggregate.COUNT else "number"
    return [
        {"name": "time", "type": "time", "unit": None},
        *({"name": tag, "type": "string", "unit": None} for tag in query.group_by),
        *({"name": term.name, "type": number, "unit": term.output_unit} for term in query.measures),
    ]


def _shaped(rows: Sequence[Row], query: SeriesQuery, scale: float) -> list[list[Any]]:
    zone = ZoneInfo(query.zone)

    @lru_cache(maxsize=4096)
    def stamp(nanos: int) -> str:
        return local_time(nanos, zone)

    factors = [term.factor * scale for term in query.measures]
    counted = query.aggregate is Aggregate.COUNT
    return [
        [
            stamp(row.time),
            *(tag or None for tag in row.tags),
            *(
                value if value is None or counted or factor == 1.0 else value * factor
                for value, factor in zip(row.values, factors, strict=True)
            ),
        ]
        for row in rows
    ]


def local_time(nanos: int, zone: ZoneInfo) -> str:
    """ISO 8601 of an instant with the offset of a zone; fractions of a second only where there are some."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC).astimezone(zone)
    if not rest:
        return moment.isoformat()
    text = moment.isoformat()
    return f"{text[:19]}.{rest:09d}".rstrip("0") + text[19:]
