"""What depends on the order of rows: ambiguous hours, ordinals, one code per tag value for the whole file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gridlake.contracts.model import Column, Contract, Derivation, Kind, Role
from gridlake.ingestion.rows import Codes, Rows
from gridlake.ingestion.zones import Seconds
from gridlake.platform.errors import QualityError

SERIES_BITS = 22
MICROSECOND = 1_000_000
_NULL = "\0"


@dataclass(slots=True, kw_only=True)
class Block:
    """Sound rows of one chunk, ready to be split into partitions.

    `time` is in seconds since 1970 UTC (None in a register); `tags` holds codes of the file's dictionaries; `key` numbers
    the distinct keys of the file, the time apart.
    """

    time: Seconds | None
    tags: dict[str, Codes]
    values: dict[str, npt.NDArray[np.float64]]
    attributes: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]
    key: npt.NDArray[np.int64]


class Numbering:
    """Numbers distinct combinations of codes in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, columns: Sequence[npt.NDArray[np.int64]], count: int) -> npt.NDArray[np.int64]:
        """Number of each row's combination."""
        if not columns:
            if count:
                self._numbers.setdefault((), 0)
            return np.zeros(count, np.int64)
        widths = [int(c.max(initial=-1)) + 2 for c in columns]
        if math.prod(widths) >= 1 << 62:
            rows, which = np.unique(np.stack(columns), axis=1, return_inverse=True)
            return self._lookup(rows.T.tolist())[which.ravel()]
        combined = columns[0] + 1
        for column, width in zip(columns[1:], widths[1:], strict=True):
            combined = combined * width + column + 1
        encoded = pa.array(combined).dictionary_encode()
        distinct = np.asarray(encoded.dictionary)
        parts: list[npt.NDArray[np.int64]] = []
        for width in reversed(widths[1:]):
            distinct, part = np.divmod(distinct, width)
            parts.append(part)
        parts.append(distinct)
        shifted = zip(*((part - 1).tolist() for part in reversed(parts)), strict=True)
        return self._lookup(shifted)[np.asarray(encoded.indices)]

    def _lookup(self, combinations: Iterable[Sequence[int]]) -> npt.NDArray[np.int64]:
        return np.array(
            [self._numbers.setdefault(tuple(c), len(self._numbers)) for c in combinations], np.int64
        )


class Assembler:
    """Takes the chunks of a file in order."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._words: dict[str, dict[str, int]] = {c.name: {} for c in contract.tags}
        self._keys = Numbering()
        self._series = self._keys if {c.name for c in contract.keys} == set(self._words) else Numbering()
        self._seen_hours: dict[tuple[int, ...], int] = {}
        self._ordinals: dict[tuple[object, ...], int] = {}

    @property
    def series(self) -> int:
        """Distinct tag sets so far."""
        return len(self._series)

    def dictionary(self, tag: str) -> list[str]:
        """Values of a tag in order of appearance."""
        return list(self._words[tag])

    def block(self, rows: Rows) -> Block:
        """The sound rows of a chunk.

        Raises
        ------
        QualityError
            ``too_many_series``: the file has more distinct keys than can be told apart.
        """
        keep = rows.fault == 0
        every = bool(keep.all())
        ordinal = [c for c in self._contract.columns if c.derive is not None and c.derive.kind == "ordinal"]
        tags = {name: self._recode(name, codes, words) for name, (codes, words) in rows.tags.items()}
        tags = {name: codes if every else codes[keep] for name, codes in tags.items()}
        time = rows.time if every or rows.time is None else rows.time[keep]
        plain = [c for c in self._contract.keys if c not in ordinal]
        if (
            rows.ambiguous is not None
            and rows.late is not None
            and time is not None
            and rows.ambiguous[keep].any()
        ):
            codes = [tags[c.name] for c in plain if c.name in tags]
            time = self._second_readings(time, rows.late[keep], rows.ambiguous[keep], codes)
        for column in ordinal:
            assert column.derive is not None
            tags[column.name] = self._ordinal(column, column.derive, tags, time)
        count = int(keep.sum())
        key = self._keys.number([self._key_codes(c, tags, rows, keep) for c in self._contract.keys], count)
        if self._series is not self._keys:
            self._series.number([t.astype(np.int64) for t in tags.values()], count)
        if len(self._keys) >= 1 << SERIES_BITS and self._contract.kind is Kind.SERIES:
            raise QualityError(
                f"the file has more than {1 << SERIES_BITS} different keys beside the time",
                code="too_many_series",
                hint="a column of the key holds free text or numbers: correct the contract",
            )
        chosen = pa.array(keep)
        return Block(
            time=time,
            tags=tags,
            values={n: v if every else v[keep] for n, v in rows.fields.items()},
            attributes={n: a if every else a.filter(chosen) for n, a in rows.attributes.items()},
            lines=rows.lines if every else rows.lines[keep],
            key=key,
        )

    def _recode(self, name: str, codes: Codes, words: list[str]) -> Codes:
        known = self._words[name]
        lookup = np.full(len(words) + 1, -1, np.int32)
        for i, word in enumerate(words):
            lookup[i] = known.setdefault(word, len(known))
        return lookup[codes]

    def _key_codes(
        self, column: Column, tags: dict[str, Codes], rows: Rows, keep: npt.NDArray[np.bool_]
    ) -> Seconds:
        if column.role is Role.TAG:
            return tags[column.name].astype(np.int64)
        words = self._words.setdefault(column.name, {})
        texts = rows.attributes[column.name].filter(pa.array(keep)).cast(pa.string()).to_pylist()
        return np.array([words.setdefault(t or _NULL, len(words)) for t in texts], np.int64)

    def _second_readings(
        self, time: Seconds, late: Seconds, ambiguous: npt.NDArray[np.bool_], codes: list[Codes]
    ) -> Seconds:
        """The later instant for the hours that the contract or the order of rows says are the second."""
        rule = self._contract.time.ambiguous if self._contract.time else "earliest"
        time = time.copy()
        if rule == "latest":
            time[ambiguous] = late[ambiguous]
        elif rule == "infer":
            for i in np.flatnonzero(ambiguous).tolist():
                hour = (int(time[i]), *(int(c[i]) for c in codes))
                before = self._seen_hours.get(hour, 0)
                self._seen_hours[hour] = before + 1
                if before:
                    time[i] = late[i]
        return time

    def _ordinal(
        self, column: Column, rule: Derivation, tags: dict[str, Codes], time: Seconds | None
    ) -> Codes:
        words = self._words[column.name]
        inputs = [tags[name] for name in rule.inputs if name in tags]
        count = len(time) if time is not None else len(next(iter(tags.values()), ()))
        codes = np.empty(count, np.int32)
        for i in range(count):
            group = (column.name, None if time is None else int(time[i]), *(int(c[i]) for c in inputs))
            number = self._ordinals.get(group, 0) + 1
            self._ordinals[group] = number
            codes[i] = words.setdefault(str(number), len(words))
        return codes
