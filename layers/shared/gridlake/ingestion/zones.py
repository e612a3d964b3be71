"""Local wall-clock times to UTC for whole arrays, by the IANA rules that `zoneinfo` has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


_FIRST_YEAR, _LAST_YEAR = 1850, 2262
"""Before and after, the rules of the first and last year hold: no zone had others, or none are known."""


class Localised(NamedTuple):
    """Both readings of local times.

    Attributes
    ----------
    earliest, latest
        int64, seconds since 1970 UTC; they differ where the local time exists twice. A time that does not exist is
        the first instant after the gap in both.
    ambiguous, nonexistent
        Masks.
    """

    earliest: Seconds
    latest: Seconds
    ambiguous: Mask
    nonexistent: Mask


def to_utc(local: Seconds, zone: str) -> Localised:
    """Read local times, given as seconds since 1970-01-01 00:00 of the wall clock."""
    if zone == "UTC" or len(local) == 0:
        none = np.zeros(len(local), np.bool_)
        return Localised(local, local, none, none)
    first, last = int(local.min()), int(local.max())
    changes, offsets = _rules(zone, _year(first) - 1, _year(last) + 1)
    before, after = offsets[:-1], offsets[1:]
    early = np.searchsorted(changes + before, local, side="right")
    late = np.searchsorted(changes + after, local, side="right")
    gap = late < early
    earliest = local - offsets[early]
    latest = local - offsets[late]
    if gap.any():
        instant = changes[early[gap] - 1]
        earliest[gap] = instant
        latest[gap] = instant
    return Localised(earliest, latest, late > early, gap)


def from_utc(instants: Seconds, zone: str) -> Seconds:
    """Wall-clock seconds of UTC instants: the inverse of `to_utc`."""
    if zone == "UTC" or len(instants) == 0:
        return instants
    changes, offsets = _rules(zone, _year(int(instants.min())) - 1, _year(int(instants.max())) + 1)
    return instants + offsets[np.searchsorted(changes, instants, side="right")]


def _year(seconds: int) -> int:
    return int(np.datetime64(seconds, "s").astype("datetime64[Y]").astype(int)) + 1970


def _rules(zone: str, first: int, last: int) -> tuple[Seconds, Seconds]:
    """Instants at which the offset from UTC changes, and the offsets before, between and after them."""
    first, last = (min(max(year, _FIRST_YEAR), _LAST_YEAR) for year in (first, last))
    parts = [_changes(zone, year) for year in range(first, last + 1)]
    changes = [c for part in parts for c in part[1]]
    offsets = [parts[0][0], *(o for part in parts for o in part[2])]
    return np.asarray(changes, np.int64), np.asarray(offsets, np.int64)


@lru_cache(maxsize=4096)
def _changes(zone: str, year: int) -> tuple[int, list[int], list[int]]:
    """Offset at the start of a year, and the changes within it with the offset after each."""
    info = ZoneInfo(zone)

    def offset(seconds: int) -> int:
        shift = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(info).utcoffset()
        return int(shift.total_seconds()) if shift else 0

    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    first = previous = offset(start)
    at, instants, offsets = start, [], []
    while at < end:
        following = min(at + 86_400, end)
        current = offset(following)
        if current != previous:
            low, high = at, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == previous else (low, middle)
            instants.append(high)
            offsets.append(current)
            previous = current
        at = following
    return first, instants, offsets
