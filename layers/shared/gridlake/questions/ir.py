"""A question as typed values, already checked against the contract of its dataset.

Nothing here is text of the asker except values of open tags: names come from the contract, instants are UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Order = Literal["asc", "desc"]

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000


class Aggregate(StrEnum):
    """How the values of a window become one."""

    MEAN = "mean"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    """Native rows that hold a value, before members are merged."""
    MEDIAN = "median"
    """Middle value; of an even number the mean of the two middle ones."""
    PERCENTILE = "percentile"
    """Nearest rank: the value at position floor(n·p/100 + 0.5) of the sorted values; none below the first."""
    STDDEV = "stddev"
    """Of the sample (n - 1); none for a single value."""
    SPREAD = "spread"
    """Maximum minus minimum."""
    FIRST = "first"
    LAST = "last"
    ENERGY = "energy"
    """Σ power · length of its native interval, in MWh; gaps add nothing."""


class WindowUnit(StrEnum):
    """Unit of a window. Windows start where the local calendar of the dataset does; weeks on Monday."""

    MINUTE = "m"
    HOUR = "h"
    DAY = "d"
    WEEK = "w"
    MONTH = "mo"
    QUARTER = "q"
    YEAR = "y"


@dataclass(frozen=True, slots=True)
class Window:
    """Length of a window, e.g. 15 m, 1 d."""

    count: int
    unit: WindowUnit

    def __str__(self) -> str:
        return f"{self.count}{self.unit.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTerm:
    """One measure that is asked for."""

    name: str
    unit: str | None
    """Unit in InfluxDB."""
    output_unit: str | None
    """Unit of the answer; None for a count and for values without unit."""
    factor: float = 1.0
    """What a value (after aggregation) is multiplied by."""
    combine: Literal["sum", "mean"] = "mean"
    """How members merge."""


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Rows whose tag is one of these values, or, with `exclude`, none of them."""

    tag: str
    values: tuple[str, ...]
    exclude: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuery:
    """Values of one dataset over a range."""

    dataset: str
    zone: str
    """IANA zone whose calendar makes the windows, and in which the answer tells time."""
    interval: str | None
    """ISO 8601 length of the native interval; None for events."""
    measures: tuple[MeasureTerm, ...]
    filters: tuple[TagFilter, ...] = ()
    start: dt.datetime
    """First instant, UTC."""
    end: dt.datetime
    """Instant after the last, UTC."""
    window: Window | None = None
    """None: the native rows, or with `aggregate` one value for the whole range."""
    aggregate: Aggregate | None = None
    percentile: float | None = None
    group_by: tuple[str, ...] = ()
    merges: bool = False
    """Whether several members may hold a value at one instant that become one before time is aggregated."""
    order: Order = "asc"
    limit: int = DEFAULT_LIMIT
    notices: tuple[str, ...] = ()
    """What was decided for the asker, in words: totals left out, edges cut."""
