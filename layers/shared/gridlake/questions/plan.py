"""What to ask a server, and what to do with its answers: the same for every dialect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.ir import SeriesQuery
from gridlake.questions.times import MAX_WINDOWS, Bucket, buckets, interval_end, uniform_step

MAX_UNIFORM_WINDOWS = 1_000_000
"""Windows of equal length need no calendar, so more of them may be asked for; the row limit cuts the answer."""


class TooLargeError(InvalidRequestError):
    """The question is well-formed, but its answer would be too large to compute."""

    code = "too_large"
    status = 422


@dataclass(slots=True)
class Row:
    """One row of an answer.

    Attributes
    ----------
    time
        Nanoseconds since the epoch, UTC.
    tags
        Values of the tags that are grouped by, in the order of the question.
    values
        Values of the measures, in the order of the question, in the units of InfluxDB.
    """

    time: int
    tags: tuple[str, ...]
    values: list[float | int | None]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring windows of equal length, half-open, cut to the range that is asked for.

    Attributes
    ----------
    start, end
        What to read.
    origin
        Start of the first window, at or before `start`.
    step
        Length of each; None for one window over the whole range.
    """

    start: dt.datetime
    end: dt.datetime
    origin: dt.datetime
    step: dt.timedelta | None


@dataclass(frozen=True, slots=True)
class Integrate:
    """Energy from native rows whose interval depends on the calendar: Σ value · hours of its interval, by window."""

    query: SeriesQuery

    def apply(self, rows: Sequence[Row]) -> list[Row]:
        """One row per window and group."""
        query, zone = self.query, ZoneInfo(self.query.zone)
        assert query.interval is not None
        windows = _windows(query)
        sums: dict[tuple[int, tuple[str, ...]], list[float | int | None]] = {}
        position = 0
        for row in sorted(rows, key=lambda row: row.time):
            moment = dt.datetime.fromtimestamp(row.time // 1_000_000_000, dt.UTC)
            while windows[position].end <= moment:
                position += 1
            hours = (interval_end(moment, query.interval, zone) - moment) / dt.timedelta(hours=1)
            key = (nanoseconds(windows[position].start), row.tags)
            total = sums.setdefault(key, [None] * len(row.values))
            for index, value in enumerate(row.values):
                if value is not None:
                    total[index] = (total[index] or 0.0) + value * hours
        return [Row(time, tags, values) for (time, tags), values in sums.items()]


@dataclass(frozen=True, slots=True)
class Plan:
    """Statements in time order of the answer, and what turns their rows into it."""

    statements: tuple[str, ...]
    label: dt.datetime | None = None
    """Time of every row, where one window covers the whole range."""
    scale: float = 1.0
    """What every value is multiplied by, beside the unit conversion."""
    operator: Integrate | None = None
    complete: bool = False
    """Whether every statement must be read whole because an operator needs all rows."""
    cuts_instants: bool = False
    """Whether the limit of a statement counts rows over all series, and so may cut between rows of one instant."""
    notices: tuple[str, ...] = ()


def runs(query: SeriesQuery) -> tuple[Run, ...]:
    """The windows of a question as few runs of equally long ones, first to last.

    Days of 23 or 25 hours and months make runs of their own, so that every window begins exactly where the local
    calendar of the dataset does, on servers that know no zones.

    Raises
    ------
    TooLargeError
        The range holds more windows than are computed.
    """
    if query.window is None:
        return (Run(query.start, query.end, query.start, None),)
    step = uniform_step(query.window, query.start, query.end, ZoneInfo(query.zone))
    if step is not None:
        if (query.end - query.start) / step > MAX_UNIFORM_WINDOWS:
            raise _too_many(query, MAX_UNIFORM_WINDOWS)
        return (Run(query.start, query.end, _aligned(query.start, step), step),)
    found: list[Run] = []
    for window in _windows(query):
        length = window.end - window.start
        last = found[-1] if found else None
        if last and last.step == length and last.end == window.start:
            found[-1] = Run(last.start, min(window.end, query.end), last.origin, length)
        else:
            start = max(window.start, query.start)
            found.append(Run(start, min(window.end, query.end), window.start, length))
    return tuple(found)


def edge_notices(query: SeriesQuery, parts: Sequence[Run]) -> tuple[str, ...]:
    """Words about first and last windows that the range covers in part only."""
    if query.window is None:
        return ()
    notices = []
    first, last = parts[0], parts[-1]
    if first.origin < query.start:
        notices.append(
            f"the first {query.window} window begins before the range: only the part inside counts"
        )
    assert last.step is not None
    if (last.end - last.origin) % last.step:
        notices.append(f"the last {query.window} window ends after the range: only the part inside counts")
    return tuple(notices)


def nanoseconds(moment: dt.datetime) -> int:
    """Nanoseconds since the epoch of an aware instant, exactly."""
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _windows(query: SeriesQuery) -> list[Bucket]:
    if query.window is None:
        return [Bucket(query.start, query.end)]
    zone = ZoneInfo(query.zone)
    step = uniform_step(query.window, query.start, query.end, zone)
    found: list[Bucket] = []
    if step is not None:
        if (query.end - query.start) / step > MAX_WINDOWS:
            raise _too_many(query, MAX_WINDOWS)
        moment = _aligned(query.start, step)
        while moment < query.end:
            found.append(Bucket(moment, moment + step))
            moment += step
        return found
    for window in buckets(query.window, query.start, query.end, zone):
        found.append(window)
        if len(found) > MAX_WINDOWS:
            raise _too_many(query, MAX_WINDOWS)
    return found


def _aligned(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return moment - (moment - epoch) % step


def _too_many(query: SeriesQuery, maximum: int) -> TooLargeError:
    return TooLargeError(
        f"the range holds more than {maximum:,} windows of {query.window}",
        pointer="/window",
        hint="use a wider window or a shorter range",
    )
