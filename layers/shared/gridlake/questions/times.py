"""Instants and windows: the local calendar of a dataset as UTC bounds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.ir import Window, WindowUnit

EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
"""InfluxDB keeps 1677 to 2262; these bounds leave room for windows around them."""

MAX_WINDOWS = 100_000

_ALLOWED = {
    WindowUnit.MINUTE: (1, 5, 10, 15, 20, 30, 60),
    WindowUnit.HOUR: (1, 2, 3, 4, 6, 8, 12),
    WindowUnit.DAY: (1,),
    WindowUnit.WEEK: (1,),
    WindowUnit.MONTH: (1,),
    WindowUnit.QUARTER: (1,),
    WindowUnit.YEAR: (1,),
}
WINDOWS = tuple(f"{count}{unit.value}" for unit, counts in _ALLOWED.items() for count in counts)
"""Every window that can be asked for."""

_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One window, half-open, in UTC."""

    start: dt.datetime
    end: dt.datetime


def parse_instant(text: object, zone: str, *, pointer: str) -> dt.datetime:
    """The UTC instant of an ISO 8601 date or date-time.

    Parameters
    ----------
    text
        ``2023-08-01``, ``2023-08-01T12:00``, ``2023-08-01T12:00:00-03:00``. Without an offset it is local time of
        `zone`; of a local time that exists twice the earlier is meant, one that doesn't exist is moved past the gap.
    zone
        IANA zone.
    pointer
        JSON pointer of the value, for the message.

    Raises
    ------
    InvalidRequestError
        It is not such a text, or lies outside 1900 to 2200.
    """
    hint = "write 2023-08-01 or 2023-08-01T00:00:00-03:00"
    if not isinstance(text, str) or not text.isascii():
        raise InvalidRequestError(
            f"{pointer[1:]} must be an ISO 8601 date or date-time", pointer=pointer, hint=hint
        )
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        shown = text[:40]
        raise InvalidRequestError(
            f"{pointer[1:]}: {shown!r} is no ISO 8601 time", pointer=pointer, hint=hint
        ) from error
    if not EARLIEST <= moment <= LATEST:
        raise InvalidRequestError(
            f"{pointer[1:]}: {text[:40]!r} is outside 1900 to 2200", pointer=pointer, hint=hint
        )
    return moment


def parse_window(text: object) -> Window:
    """A window of `WINDOWS`.

    Raises
    ------
    InvalidRequestError
        It is none of them.
    """
    match = re.fullmatch(r"(\d{1,3})(mo|min|[mhdwqy])", text.strip()) if isinstance(text, str) else None
    if match:
        unit = WindowUnit("m" if match[2] == "min" else match[2])
        count = int(match[1])
        if count in _ALLOWED[unit]:
            return (
                Window(1, WindowUnit.HOUR)
                if (count, unit) == (60, WindowUnit.MINUTE)
                else Window(count, unit)
            )
    shown = repr(text)[:40]
    raise InvalidRequestError(
        f"window {shown} is not one of the known windows",
        pointer="/window",
        allowed=list(WINDOWS),
        hint=f"use one of {', '.join(WINDOWS)}",
    )


@cache
def fixed_interval(interval: str | None) -> dt.timedelta | None:
    """Length of an ISO 8601 duration of hours, minutes and seconds; None for calendar lengths (P1D, P1M) and events."""
    match = _DURATION.fullmatch(interval) if interval else None
    if not match or any(match.group(1, 2, 3, 4)):
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.group(5, 6, 7))
    return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds) or None


def interval_end(start: dt.datetime, interval: str, zone: ZoneInfo) -> dt.datetime:
    """End of the native interval that starts at an instant, by the local calendar."""
    match = _DURATION.fullmatch(interval)
    if not match:
        raise ValueError(f"{interval!r} is no ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    local = start.astimezone(zone).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if _utc(midnight, zone) == start:
        local = midnight  # a day without its first hour begins when the clocks change, and ends at midnight all the same
    total = local.year * 12 + local.month - 1 + years * 12 + months
    if years or months:
        local = local.replace(year=total // 12, month=total % 12 + 1, day=1)
    if years or months or weeks or days:
        start = _utc(local + dt.timedelta(weeks=weeks, days=days), zone)
    return start + dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)


def uniform_step(window: Window, start: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> dt.timedelta | None:
    """Length of windows that are equally long over a range however the clocks change; None when they may differ.

    An hour or less is: clocks change by whole hours, or the window is aligned to what they change by.
    """
    if window.unit is WindowUnit.MINUTE:
        step = window.count * _MINUTE
    elif window.unit is WindowUnit.HOUR and window.count == 1:
        step = 60 * _MINUTE
    else:
        return None
    return step if all(offset % step == dt.timedelta(0) for offset in _offsets(start, end, zone)) else None


def buckets(window: Window, start: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> Iterator[Bucket]:
    """Windows of the local calendar that touch a range, in order. The first may begin before it, the last end after."""
    left = _floor(window, start.astimezone(zone).replace(tzinfo=None))
    begin = _utc(left, zone)
    while begin < end:
        left = _next(window, left)
        finish = _utc(left, zone)
        if finish > begin:
            if finish > start:
                yield Bucket(begin, finish)
            begin = finish


def _offsets(start: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> set[dt.timedelta]:
    """Offsets of a zone over a range, sampled often enough to meet each of two changes a year."""
    found = set()
    moment = start
    while moment < end:
        found.add(moment.astimezone(zone).utcoffset() or dt.timedelta(0))
        moment += dt.timedelta(days=7)
    found.add(end.astimezone(zone).utcoffset() or dt.timedelta(0))
    return found


def _floor(window: Window, local: dt.datetime) -> dt.datetime:
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match window.unit:
        case WindowUnit.MINUTE:
            minutes = (local - day) // _MINUTE
            return day + minutes // window.count * window.count * _MINUTE
        case WindowUnit.HOUR:
            return day + dt.timedelta(hours=local.hour // window.count * window.count)
        case WindowUnit.DAY:
            return day
        case WindowUnit.WEEK:
            return day - dt.timedelta(days=day.weekday())
        case WindowUnit.MONTH:
            return day.replace(day=1)
        case WindowUnit.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case WindowUnit.YEAR:
            return day.replace(month=1, day=1)


def _next(window: Window, local: dt.datetime) -> dt.datetime:
    match window.unit:
        case WindowUnit.MINUTE:
            return local + window.count * _MINUTE
        case WindowUnit.HOUR:
            return local + dt.timedelta(hours=window.count)
        case WindowUnit.DAY:
            return local + dt.timedelta(days=1)
        case WindowUnit.WEEK:
            return local + dt.timedelta(days=7)
        case WindowUnit.MONTH | WindowUnit.QUARTER:
            total = local.year * 12 + local.month - 1 + (1 if window.unit is WindowUnit.MONTH else 3)
            return local.replace(year=total // 12, month=total % 12 + 1)
        case WindowUnit.YEAR:
            return local.replace(year=local.year + 1)


def _utc(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """UTC instant of a local time; of two the earlier, and of one that doesn't exist the moment the clocks change."""
    moment = local.replace(tzinfo=zone)
    instant = moment.astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    # In a gap: fold 0 reads with the offset before the change, which lands after the gap by its rest.
    after = local.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    low, high = after, instant
    before = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)
