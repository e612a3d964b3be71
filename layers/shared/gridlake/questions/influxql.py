"""InfluxQL of a typed question.

Statements are rendered from typed values only: names of the contract as quoted identifiers, values of tags as quoted
literals, instants and lengths formatted by us. There is no path by which text of the asker becomes syntax.

Alignment with the other dialects: ranges are half-open and bounded, windows are labelled with their start and begin
with the local calendar (offsets computed here, no ``tz()``), empty windows are absent, grouping is explicit.
"""

from __future__ import annotations

import datetime as dt

from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.ir import Aggregate, MeasureTerm, SeriesQuery, TagFilter
from gridlake.questions.plan import Integrate, Plan, Run, TooLargeError, edge_notices, nanoseconds, runs
from gridlake.questions.times import fixed_interval

MAX_NATIVE_ROWS = 30_000
"""Rows of one series that an operator reads at most: 82 years of days."""

_FUNCTIONS = {
    Aggregate.MEAN: "mean",
    Aggregate.SUM: "sum",
    Aggregate.MIN: "min",
    Aggregate.MAX: "max",
    Aggregate.COUNT: "count",
    Aggregate.MEDIAN: "median",
    Aggregate.PERCENTILE: "percentile",
    Aggregate.STDDEV: "stddev",
    Aggregate.SPREAD: "spread",
    Aggregate.FIRST: "first",
    Aggregate.LAST: "last",
    Aggregate.ENERGY: "sum",
}


def plan(query: SeriesQuery) -> Plan:
    """Statements of a question, in time order of its answer.

    Raises
    ------
    TooLargeError
        The range holds too many windows.
    """
    if query.aggregate is None:
        text = _native(query, as_columns=not query.merges)
        return Plan((_limited(text, query.limit + 1),), cuts_instants=not query.merges)
    parts = runs(query)
    notices = edge_notices(query, parts)
    scale = 1.0
    if query.aggregate is Aggregate.ENERGY:
        length = fixed_interval(query.interval)
        if length is None:
            if query.end - query.start > dt.timedelta(days=MAX_NATIVE_ROWS):
                raise TooLargeError(
                    "energy of so long a range is not computed", pointer="/end", hint="ask for less"
                )
            text = _limited(_native(query, as_columns=False), MAX_NATIVE_ROWS)
            return Plan((text,), operator=Integrate(query), complete=True, notices=notices)
        scale = length / dt.timedelta(hours=1)
    ordered = parts if query.order == "asc" else tuple(reversed(parts))
    return Plan(
        tuple(_aggregated(query, part) for part in ordered),
        label=query.start if query.window is None else None,
        scale=scale,
        notices=notices,
    )


def identifier(name: str) -> str:
    """A name of the contract as a quoted identifier.

    Raises
    ------
    InvalidRequestError
        It is empty or holds a control character.
    """
    return '"' + _escaped(name, '"') + '"'


def literal(text: str) -> str:
    """A value of a tag as a quoted literal.

    Raises
    ------
    InvalidRequestError
        It holds a control character.
    """
    return "'" + _escaped(text, "'") + "'"


def duration(length: dt.timedelta) -> str:
    """A length in the widest unit that holds it without rest: ``31d``, ``90m``."""
    micros = length // dt.timedelta(microseconds=1)
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if micros % size == 0:
            return f"{micros // size}{unit}"
    return f"{micros}u"


def _aggregated(query: SeriesQuery, part: Run) -> str:
    # Rows are counted as they are stored, so a count never looks at merged members.
    merges = query.merges and query.aggregate is not Aggregate.COUNT
    source = f"({_merged(query, part.start, part.end)})" if merges else identifier(query.dataset)
    where = _times(part.start, part.end) if merges else _conditions(query, part.start, part.end)
    selected = ", ".join(_call(query, term) for term in query.measures)
    text = _select(selected, source, where)
    dimensions = [identifier(tag) for tag in query.group_by]
    if part.step is not None:
        offset = nanoseconds(part.origin) % (part.step // dt.timedelta(microseconds=1) * 1_000)
        shift = f", {duration(dt.timedelta(microseconds=offset // 1_000))}" if offset else ""
        dimensions.insert(0, f"time({duration(part.step)}{shift})")
    if dimensions:
        text += f" GROUP BY {', '.join(dimensions)}"
    if part.step is None:
        return text
    windows = -((part.origin - part.end) // part.step)
    return _limited(f"{text} fill(none) ORDER BY time {query.order.upper()}", min(query.limit + 1, windows))


def _limited(text: str, count: int) -> str:
    """A statement that gives the first `count` rows of every series."""
    return f"{text} LIMIT {count}"


def _call(query: SeriesQuery, term: MeasureTerm) -> str:
    assert query.aggregate is not None
    name = identifier(term.name)
    rank = ""
    if query.aggregate is Aggregate.PERCENTILE:
        rank = ", " + f"{query.percentile:.6f}".rstrip("0").rstrip(".")
    return f"{_FUNCTIONS[query.aggregate]}({name}{rank}) AS {name}"


def _native(query: SeriesQuery, *, as_columns: bool) -> str:
    """Native rows; the tags as columns, where they can be, make a limit count rows over all groups."""
    tail = f" ORDER BY time {query.order.upper()}"
    if query.merges:
        return _merged(query, query.start, query.end) + tail
    names = [identifier(term.name) for term in query.measures]
    tags = [identifier(tag) for tag in query.group_by]
    selected = ", ".join([*names, *tags] if as_columns else names)
    group = f" GROUP BY {', '.join(tags)}" if tags and not as_columns else ""
    conditions = _conditions(query, query.start, query.end)
    return _select(selected, identifier(query.dataset), conditions) + group + tail


def _merged(query: SeriesQuery, start: dt.datetime, end: dt.datetime) -> str:
    """Members merged into their group, instant by instant: windows far below the native interval keep its stamps."""
    selected = ", ".join(
        f"{term.combine}({identifier(term.name)}) AS {identifier(term.name)}" for term in query.measures
    )
    resolution = "1s" if query.interval else "1ms"
    dimensions = ", ".join([f"time({resolution})", *(identifier(tag) for tag in query.group_by)])
    conditions = _conditions(query, start, end)
    return f"{_select(selected, identifier(query.dataset), conditions)} GROUP BY {dimensions} fill(none)"


def _select(selected: str, source: str, conditions: str) -> str:
    return f"SELECT {selected} FROM {source} WHERE {conditions}"  # noqa: S608 - parts are quoted by `identifier` and `literal`


def _conditions(query: SeriesQuery, start: dt.datetime, end: dt.datetime) -> str:
    return " AND ".join([_times(start, end), *(_filter(entry) for entry in query.filters)])


def _times(start: dt.datetime, end: dt.datetime) -> str:
    return f"time >= {_instant(start)} AND time < {_instant(end)}"


def _filter(entry: TagFilter) -> str:
    sign, glue = ("!=", " AND ") if entry.exclude else ("=", " OR ")
    tests = [f"{identifier(entry.tag)} {sign} {literal(value)}" for value in entry.values]
    return tests[0] if len(tests) == 1 else f"({glue.join(tests)})"


def _instant(moment: dt.datetime) -> str:
    text = moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
    return f"'{text}Z'"


def _escaped(text: str, quote: str) -> str:
    if not text or any(
        ord(sign) < 32 or 127 <= ord(sign) < 160 or 0xD800 <= ord(sign) < 0xE000 for sign in text
    ):
        raise InvalidRequestError(
            f"{text[:64]!r} can't be part of a query", hint="remove its control characters"
        )
    return text.replace("\\", "\\\\").replace(quote, "\\" + quote)
