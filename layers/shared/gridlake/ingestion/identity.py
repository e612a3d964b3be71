"""What tells the rows of an unknown table apart: time of day in a column of its own, and keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.profile import ColumnProfile
from gridlake.ingestion.readers.chunk import Chunk

MAX_KEY_VALUES = 5_000
_ROWS, _CELLS = 100_000, 8_000_000
_HOUR_NAME = re.compile(
    r"^(?:hour|hora|hr|he|time|horario|horário|period|hour[ _]?(?:ending|of[ _]day))$", re.IGNORECASE
)
_CLOCK = {r"^\d{1,2}:\d{2}:\d{2}$": "%H:%M:%S", r"^\d{1,2}:\d{2}$": "%H:%M"}
_Hashes = npt.NDArray[np.uint64]


class Hour(NamedTuple):
    """The column with the time of day; the names are those of `TableProfile`."""

    hour: str
    hour_format: str
    hour_step: float | None
    hour_ends: bool = False


class Values(Protocol):
    """Distinct values of a column."""

    @property
    def values(self) -> Collection[str]:
        """As printed."""


def find_hour(profiles: Sequence[ColumnProfile], columns: Mapping[int, Values]) -> Hour | None:
    """The column that completes a time column of days alone: ``13:30``, or an hour from 0 to 23 or 1 to 24."""
    day = next((p for p in profiles if p.type == "time"), None)
    if day is None or not (day.time_format or "").endswith(
        ("%d", "%m/%Y", "%d/%m/%y", "%d.%m.%Y", "%d-%m-%Y")
    ):
        return None
    for position, profile in enumerate(profiles):
        texts = pa.array(list(columns[position].values), pa.string())
        if profile is day or profile.nulls or len(texts) == 0 or len(texts) > 1440 * 60:
            continue
        for pattern, clock in _CLOCK.items():
            if pc.all(pc.match_substring_regex(texts, pattern)).as_py():
                parts = [[int(x) for x in t.split(":")] for t in texts.to_pylist()]
                seconds = np.unique([h * 3600 + m * 60 + sum(rest) for h, m, *rest in parts])
                steps = np.diff(seconds)
                return Hour(profile.name, clock, float(steps.min()) if len(steps) else None)
        if (
            _HOUR_NAME.match(profile.name.strip())
            and pc.all(pc.match_substring_regex(texts, r"^\d{1,2}$")).as_py()
        ):
            hours = {int(t) for t in texts.to_pylist()}
            if max(hours) <= 24:
                return Hour(profile.name, "%H", 3600.0, 24 in hours and 0 not in hours)
    return None


class RowSample:
    """Hashes of the cells of the first rows."""

    def __init__(self, width: int) -> None:
        self._room = min(_ROWS, _CELLS // max(width, 1))
        self._width = width
        self._parts: list[list[_Hashes]] = []

    def add(self, chunk: Chunk) -> None:
        """Take the rows of a chunk while there is room."""
        if self._room <= 0 or chunk.rows == 0:
            return
        part: list[_Hashes] = []
        for i in range(self._width):
            column = chunk.columns[i]
            words = [hash((t or "").strip()) & 0xFFFFFFFFFFFFFFFF for t in column.dictionary.to_pylist()]
            known = np.array([*words, 0], np.uint64)
            codes = np.asarray(pc.fill_null(column.indices, len(words)))[: self._room]
            part.append(known[codes])
        self._parts.append(part)
        self._room -= len(part[0])

    def key(self, profiles: Sequence[ColumnProfile], hour: Hour | None) -> tuple[tuple[str, ...], bool]:
        """Columns that tell the rows of one instant apart, and whether rows that differ still share all of them.

        Texts come first, then whole numbers, those of fewest values before others.
        """
        if not self._parts:
            return (), False
        cells = [np.concatenate([part[i] for part in self._parts]) for i in range(self._width)]
        clock = next((i for i, p in enumerate(profiles) if p.type == "time"), None)
        combined = np.zeros(len(cells[0]), np.uint64)
        for i, profile in enumerate(profiles):
            if i == clock or (hour is not None and profile.name == hour.hour):
                combined = _mixed(combined, cells[i])
        whole = np.zeros(len(cells[0]), np.uint64)
        for column in cells:
            whole = _mixed(whole, column)
        wanted, found = len(np.unique(whole)), len(np.unique(combined))
        chosen: list[str] = []
        few = len(whole) if clock is None else max(2, len(whole) // 5)
        measures = sum(p.type == "number" for p in profiles)
        candidates = [
            (p.type == "number", p.distinct, i)
            for i, p in enumerate(profiles)
            if p.type in ("text", "number")
            and 1 < p.distinct <= MAX_KEY_VALUES
            and (p.type == "text" or (p.distinct <= few and _is_count(p)))
            and not (hour is not None and p.name == hour.hour)
        ]
        for number, _, i in sorted(candidates):
            if found >= wanted or (number and measures < 2):
                break
            tried = _mixed(combined, cells[i])
            count = len(np.unique(tried))
            if count > found:
                chosen.append(profiles[i].name)
                measures -= number
                combined, found = tried, count
        return tuple(chosen), found < wanted


def _is_count(profile: ColumnProfile) -> bool:
    """Whether a column of numbers may number things: whole, few, and none of the values missing."""
    return not profile.nulls and all(re.fullmatch(r"\d+", text) for text in profile.examples)


def _mixed(one: _Hashes, other: _Hashes) -> _Hashes:
    with np.errstate(over="ignore"):
        return (one ^ (one >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15) + other
