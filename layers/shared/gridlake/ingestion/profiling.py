"""What the columns of an unknown file hold."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.profile import ColumnProfile, ProfileType, TableProfile
from gridlake.contracts.text import EPOCH_FORMATS
from gridlake.ingestion import numbers, stamps
from gridlake.ingestion.binding import unnamed
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.identity import RowSample, find_hour
from gridlake.ingestion.readers import read_chunks
from gridlake.ingestion.readers.chunk import Wanted

TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S%z",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d-%b-%Y",
    "%d-%b-%Y %H:%M",
    "%d/%m/%y %H:%M:%S",
    "%d/%m/%y %H:%M",
    "%d-%m-%y %H:%M:%S",
    "%d-%m-%y",
    "%d/%m/%y",
    "%Y%m%d",
    "%Y%m%d%H%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d-%b-%y",
    "%d %b %Y",
    "%d %b %Y %H:%M",
    "%b %d, %Y",
    "%d.%m.%y",
    "%Y-%m",
    "%m/%Y",
    "%b/%Y",
    "%b-%Y",
    "%b/%y",
    "%b-%y",
)
"""Tried in this order; day before month unless a value makes that impossible."""

_DISTINCT = 100_000
_EXAMPLES = 5
_CHUNKS = 32
_NAMED_TIME = re.compile(
    r"time|date|data|stamp|epoch|instante|hora|(?:^|[\W_])(?:ts|ds|dt)(?:$|[\W_])", re.IGNORECASE
)
_NAMED_YEAR = re.compile(r"(?:^|[\W_])(?:year|ano|yr)(?:$|[\W_])", re.IGNORECASE)
_TOLERATED = 0.02
"""Share of the values of a column that may fail its type: they go to quarantine instead of deciding the type."""


@dataclass
class _Column:
    values: Counter[str] = field(default_factory=Counter)
    nulls: int = 0


def profile_file(path: Path, facts: FileFacts, *, limits: Limits) -> TableProfile:
    """Profile the first rows of a file (up to some hundred megabytes; the rest is of the same kind)."""
    named = range(len(facts.header))
    wanted = Wanted(numbers={}, texts=frozenset(named))
    sample = RowSample(len(named))
    columns = {i: _Column() for i in named}
    rows = 0
    for chunk in islice(read_chunks(path, facts, wanted, limits=limits), _CHUNKS):
        part = chunk()
        rows += part.rows
        for i in named if part.rows else ():
            _count(columns[i], part.columns[i])
        sample.add(part)
    profiles = [_profile(facts.header[i] or unnamed(i), columns[i], facts) for i in named]
    hour = find_hour(profiles, columns)
    key, repeats = sample.key(profiles, hour)
    profiles = [replace(p, type="text") if p.name in key else p for p in profiles]
    return TableProfile(
        columns=tuple(p for i, p in enumerate(profiles) if facts.header[i] or p.type != "empty"),
        rows=rows,
        key=key,
        repeats=repeats,
        **({} if hour is None else hour._asdict()),
        delimiter=facts.delimiter if facts.format == "csv" else None,
        encoding=facts.encoding if facts.format == "csv" else None,
        decimal=facts.decimal,
    )


def _count(column: _Column, cells: pa.Array) -> None:
    text = cells.dictionary.cast(pa.string())
    indices = pc.drop_null(cells.indices)
    column.nulls += len(cells) - len(indices)
    counts = np.bincount(np.asarray(indices), minlength=len(text))
    for value, count in zip(text.to_pylist(), counts, strict=True):
        plain = (value or "").strip()
        if not plain:
            column.nulls += int(count)
        elif plain in column.values or len(column.values) < _DISTINCT:
            column.values[plain] += int(count)


def _profile(name: str, column: _Column, facts: FileFacts) -> ColumnProfile:
    texts = pa.array(list(column.values), pa.string())
    examples = tuple(list(column.values)[:_EXAMPLES])
    kind: ProfileType = "text"
    low: str | float | None = None
    high: str | float | None = None
    pattern: str | None = None
    step: float | None = None
    if len(texts) == 0:
        kind = "empty"
    elif (found := _time(texts, name)) is not None:
        kind, (pattern, seconds) = "time", found
        low, high = (
            datetime.fromtimestamp(int(s), UTC).replace(tzinfo=None).isoformat()
            for s in (seconds[0], seconds[-1])
        )
        gaps = np.diff(seconds)
        if len(gaps):
            distances, counts = np.unique(gaps, return_counts=True)
            step = float(distances[counts.argmax()])
        if facts.format != "csv" and pattern in stamps.ISO:
            pattern = None
    elif not _zero_padded(texts):
        parsed = numbers.parse(texts, decimal=facts.decimal)
        weights = np.array(list(column.values.values()))
        if weights[parsed.wrong].sum() <= _TOLERATED * weights.sum():
            kind = "number"
            low, high = float(np.nanmin(parsed.values)), float(np.nanmax(parsed.values))
    if kind == "text":
        low, high = min(column.values), max(column.values)
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=column.nulls,
        distinct=len(column.values),
        minimum=low,
        maximum=high,
        examples=examples,
        time_format=pattern,
        step_seconds=step,
    )


def _zero_padded(texts: pa.Array) -> bool:
    """Whether the digits are an identifier: ``007`` is no number."""
    whole = pc.all(pc.match_substring_regex(texts, r"^\d+$")).as_py()
    return bool(whole and pc.any(pc.match_substring_regex(texts, r"^0\d")).as_py())


def _time(texts: pa.Array, name: str) -> tuple[str, np.ndarray] | None:
    """The format that (nearly) all values follow, and their distinct seconds in order.

    Bare numbers are times only where the column is named so: years, and counts since 1970.
    """
    if pc.all(pc.match_substring_regex(texts, r"^\d+(?:\.0*)?$")).as_py():
        if (
            _NAMED_YEAR.search(name)
            and pc.all(pc.match_substring_regex(texts, r"^(?:1[89]|20)\d\d$")).as_py()
        ):
            return "%Y", np.unique(stamps.parse(texts, ("%Y",)).seconds)
        for pattern in EPOCH_FORMATS if _NAMED_TIME.search(name) else ():
            seconds = np.unique(stamps.parse(texts, (pattern,)).seconds)
            if seconds[0] > 315_532_800 and seconds[-1] < 4_102_444_800:
                return pattern, seconds
    if not pc.all(pc.greater_equal(pc.binary_length(texts.slice(0, 5)), 6)).as_py():
        return None
    for pattern in TIME_FORMATS:
        head = stamps.parse(texts.slice(0, 50), (pattern,))
        if head.valid.mean() < 1 - _TOLERATED:
            continue
        parsed = stamps.parse(texts, (pattern,))
        if parsed.valid.mean() >= 1 - _TOLERATED:
            seconds = np.unique(parsed.seconds[parsed.valid])
            if pattern.startswith("%Y%m%d") and not _plausible(seconds):
                continue
            return pattern, seconds
    return None


def _plausible(seconds: np.ndarray) -> bool:
    """Whether digits without separators are dates at all: of 1900 to 2100."""
    return bool(seconds[0] > -2_208_988_800 and seconds[-1] < 4_102_444_800)
