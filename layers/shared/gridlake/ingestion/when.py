"""The instant of each row, as its contract says stamps are to be read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.model import TimeSpec
from gridlake.ingestion import stamps
from gridlake.ingestion.durations import add, duration, floor_month
from gridlake.ingestion.zones import Mask, Seconds, from_utc, to_utc

_CELL_FORMATS = stamps.ISO
_EARLIEST, _LATEST = -9_214_560_000, 9_214_646_400


class Instants(NamedTuple):
    """When rows are, one entry a row.

    Attributes
    ----------
    earliest, latest
        int64, seconds since 1970 UTC: they differ where the local hour exists twice.
    missing, unparsable, nonexistent, ambiguous
        Masks.
    text
        Distinct printed stamps, and in `which` the index of each row's.
    """

    earliest: Seconds
    latest: Seconds
    missing: Mask
    unparsable: Mask
    nonexistent: Mask
    ambiguous: Mask
    text: pa.Array
    which: npt.NDArray[np.int64]


class Clock:
    """Reads the stamps of one file.

    Parameters
    ----------
    zone
        IANA zone of the printed stamps.
    cells
        Whether the file has true dates (workbook, Parquet), which readers print as ISO text.
    serials
        Whether its stamps are workbook serial numbers; None finds out from the first rows.
    """

    def __init__(self, spec: TimeSpec, *, zone: str, cells: bool) -> None:
        self._spec = spec
        self._zone = zone
        self._formats = stamps.widened((*_CELL_FORMATS, *spec.formats) if cells else spec.formats)
        self._serials: bool | None = True if cells else None

    def read(self, parts: list[pa.Array], period: pa.Array | None) -> Instants:
        """Instants of rows from the columns that their stamp is made of."""
        distinct, which = _combine([_encoded(p) for p in ([*parts, period] if period is not None else parts)])
        blank = np.zeros(len(which) and len(distinct[0]), np.bool_)
        trimmed = [pc.fill_null(pc.utf8_trim_whitespace(d), "") for d in distinct]
        for part in trimmed:
            blank |= np.asarray(pc.equal(part, ""))
        numbers = trimmed.pop() if period is not None else None
        text = self._joined(trimmed)
        if self._serials is None and len(text):
            self._serials = stamps.mostly_serials(text)
        parsed = stamps.parse(text, self._formats, serials=bool(self._serials))
        # InfluxDB counts nanoseconds in 64 bits: what lies beyond is no time of any file.
        known = (parsed.seconds > _EARLIEST) & (parsed.seconds < _LATEST)
        local, valid = np.where(known, parsed.seconds, 0), parsed.valid & known & ~blank
        gone = np.zeros(len(valid), np.bool_)
        if numbers is not None:
            local = np.where(parsed.absolute, from_utc(local, self._zone), local)
            early, valid, gone = self._periods(local, valid, numbers)
            late, twice = early, np.zeros(len(valid), np.bool_)
        else:
            local = self._start(local)
            found = to_utc(local, self._zone)
            gone = found.nonexistent & ~parsed.absolute & valid
            if self._spec.nonexistent == "shift":
                gone[:] = False
            early = np.where(parsed.absolute, local, found.earliest)
            late = np.where(parsed.absolute, local, found.latest)
            twice = found.ambiguous & ~parsed.absolute & valid
        shown = text if numbers is None else pc.binary_join_element_wise(text, numbers, " period ")
        return Instants(
            early[which],
            late[which],
            blank[which],
            (~valid & ~blank & ~gone)[which],
            gone[which],
            twice[which],
            shown,
            which,
        )

    def _joined(self, parts: list[pa.Array]) -> pa.Array:
        if len(parts) > 1 or self._spec.template != "{0}":
            columns = [p.to_pylist() for p in parts]
            text = pa.array(
                [self._spec.template.format(*row) for row in zip(*columns, strict=True)], pa.string()
            )
        else:
            text = parts[0]
        if self._spec.split:
            text = pc.list_element(pc.split_pattern(text, self._spec.split, max_splits=1), 0)
        return pc.utf8_trim_whitespace(text)

    def _start(self, local: Seconds) -> Seconds:
        """Start of the interval that a printed stamp stands for, still by the wall clock."""
        spec = self._spec
        if spec.end_of_day:
            hour, minute, second = (int(x) for x in spec.end_of_day.split(":"))
            last = hour * 3600 + minute * 60 + second
            local = np.where(local % 86_400 == last, local - last + 86_400, local)
        if spec.shift:
            local = add(local, duration(spec.shift))
        if spec.interval is None or spec.stamp == "start":
            return local
        step = duration(spec.interval)
        return floor_month(local - 1, step.months) if step.months else add(local, step, times=-1)

    def _periods(self, days: Seconds, valid: Mask, numbers: pa.Array) -> tuple[Seconds, Mask, Mask]:
        """Instants of intervals counted from 1 in the local day; periods beyond a short day do not exist."""
        whole = np.asarray(pc.match_substring_regex(numbers, r"^\d{1,3}(?:\.0*)?$"))
        clean = pc.replace_substring_regex(numbers, r"\.0*$", "")
        period = np.asarray(pc.cast(pc.if_else(pa.array(whole), clean, "0"), pa.int64()))
        step = duration(self._spec.interval or "PT1H").seconds
        day = days - days % 86_400
        midnight = to_utc(day, self._zone).earliest
        length = (to_utc(day + 86_400, self._zone).earliest - midnight) // step
        ordinary = 86_400 // step
        gone = valid & whole & (period > length) & (period <= ordinary)
        good = valid & whole & (period >= 1) & (period <= length)
        return midnight + (period - 1) * step, good, gone


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else pc.cast(column, pa.string()).dictionary_encode()


def _combine(columns: list[pa.DictionaryArray]) -> tuple[list[pa.Array], npt.NDArray[np.int64]]:
    """Distinct combinations of the columns' values, and the combination of each row."""
    codes, values = [], []
    for column in columns:
        code = np.asarray(pc.fill_null(column.indices, len(column.dictionary))).astype(np.int64)
        codes.append(code)
        values.append(pa.concat_arrays([column.dictionary.cast(pa.string()), pa.array([None], pa.string())]))
    if len(columns) == 1:
        return values, codes[0]
    combined = codes[0]
    for code, value in zip(codes[1:], values[1:], strict=True):
        combined = combined * len(value) + code
    unique, which = np.unique(combined, return_inverse=True)
    distinct: list[pa.Array] = []
    for value in reversed(values):
        unique, index = np.divmod(unique, len(value))
        distinct.append(value.take(pa.array(index)))
    return distinct[::-1], which.astype(np.int64)
