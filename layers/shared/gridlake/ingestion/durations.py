"""ISO 8601 durations on wall-clock seconds."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from gridlake.ingestion.zones import Seconds
from gridlake.platform.errors import ContractError

_FORM = re.compile(
    r"(?P<sign>-?)P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?"
    r"(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)S)?)?"
)


class Duration(NamedTuple):
    """Calendar months and fixed seconds (a day is 24 hours of the wall clock)."""

    months: int
    seconds: int


def duration(text: str) -> Duration:
    """Read ``P1M``, ``-P6D``, ``PT30M`` and the like.

    Raises
    ------
    ContractError
        It is not a duration.
    """
    hit = _FORM.fullmatch(text)
    if hit is None or text.endswith(("P", "T")):
        raise ContractError(f"{text!r} is not an ISO 8601 duration such as PT30M, P1D or P1M")
    part = {k: int(v or 0) for k, v in hit.groupdict().items() if k != "sign"}
    sign = -1 if hit["sign"] else 1
    days = part["W"] * 7 + part["D"]
    return Duration(
        sign * (part["Y"] * 12 + part["M"]),
        sign * (days * 86_400 + part["h"] * 3600 + part["m"] * 60 + part["s"]),
    )


def add(local: Seconds, step: Duration, *, times: int = 1) -> Seconds:
    """Wall-clock times moved by `times` durations; a day that a month lacks becomes its last."""
    moved = local
    if step.months:
        days, rest = np.divmod(local, 86_400)
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        offset = (dates - months.astype("datetime64[D]")).astype(np.int64)
        target = months + np.timedelta64(step.months * times, "M")
        length = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64)
        moved = (
            target.astype("datetime64[D]").astype(np.int64) + np.minimum(offset, length - 1)
        ) * 86_400 + rest
    return moved + step.seconds * times


def floor_month(local: Seconds, months: int) -> Seconds:
    """Start of the calendar month (or of the group of `months` months, from January) that holds each time."""
    index = np.floor_divide(local, 86_400).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    start = np.floor_divide(index, months) * months
    return start.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) * 86_400
