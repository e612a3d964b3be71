"""Distinct tag sets and their text: each is escaped once, however many rows and batches repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gridlake.timeseries._escaping import escaped, escaped_name
from gridlake.timeseries.errors import LineProtocolError

Array = Any
Int64s = npt.NDArray[np.int64]

MAX_KEY_BYTES = 65_535
"""Longest measurement with tags that InfluxDB stores."""
_DENSE = 1 << 20
_MOST_COMBINATIONS = 2**62


class TagSets:
    """The tag sets of one measurement met so far, each with a number that stays; safe to share between threads.

    Attributes
    ----------
    longest
        Most bytes of a set's text.
    """

    def __init__(self, measurement: str, tags: Sequence[str]) -> None:
        self.longest = 0
        self._texts: list[str] = []
        self._problems: dict[int, str] = {}
        self._measurement = measurement
        self._tags = tuple(sorted(tags))
        self._head = escaped_name(measurement, "measurement", equals=False)
        self._keys = [escaped_name(name, "tag") for name in self._tags]
        self._numbers: dict[tuple[str | None, ...], int] = {}
        self._array: Array = pa.array([], pa.string())
        self._columns: list[Array | None] = []
        self._by_combination: dict[int, int] = {}
        self._words: list[list[str | None]] = []
        self._dense: Int64s | None = None
        self._lock = Lock()

    @property
    def texts(self) -> Array:
        """``measurement,tag=value,… `` of each set, with the space before the fields; empty for an unwritable set."""
        with self._lock:
            if len(self._array) != len(self._texts):
                self._array = pa.array(self._texts, pa.string())
            return self._array

    @property
    def problems(self) -> dict[int, str]:
        """Why a set can't be written, by its number."""
        with self._lock:
            return dict(self._problems)

    def series(self, numbers: Sequence[int]) -> list[str | None]:
        """Names of sets as InfluxDB has them, ``measurement,tag=value,…``; None for an unwritable one."""
        with self._lock:
            return [None if n in self._problems else self._texts[n][:-1] for n in numbers]

    def numbers(self, batch: pa.RecordBatch) -> Int64s:
        """Number of each row's tag set.

        Raises
        ------
        LineProtocolError
            A tag is not text, or the batch's dictionaries are too large to number their combinations.
        """
        combinations = np.zeros(batch.num_rows, dtype=np.int64)
        columns: list[Array | None] = []
        size = 1
        for name in self._tags:
            position = batch.schema.get_field_index(name)
            if position < 0:
                columns.append(None)
                continue
            column = _dictionary(batch.column(position), name)
            choices = len(column.dictionary) + 1
            size *= choices
            if size >= _MOST_COMBINATIONS:
                raise LineProtocolError(f"the tags of {self._measurement} have too many values for one batch")
            codes = column.indices
            if codes.null_count:
                codes = codes.cast(pa.int64()).fill_null(choices - 1)
            combinations = combinations * choices + codes.to_numpy(zero_copy_only=False)
            columns.append(column.dictionary)
        with self._lock:
            if not self._same(columns):
                self._columns, self._by_combination = columns, {}
                self._words = [[None] if c is None else [*c.to_pylist(), None] for c in columns]
                self._dense = np.full(size, -1, dtype=np.int64) if size <= _DENSE else None
            return self._looked_up(combinations)

    def _same(self, columns: list[Array | None]) -> bool:
        """Whether these are the dictionaries of the batch before, so that its combinations mean the same."""
        return len(self._columns) == len(columns) and all(
            (a is None and b is None) or (a is not None and b is not None and a.equals(b))
            for a, b in zip(self._columns, columns, strict=True)
        )

    def _looked_up(self, combinations: Int64s) -> Int64s:
        if self._dense is None:
            encoded: Array = pa.array(combinations).dictionary_encode()
            found = self._numbers_of(encoded.dictionary.to_numpy())
            ranks: Int64s = encoded.indices.to_numpy().astype(np.int64)
            return found[ranks]
        numbers: Int64s = self._dense[combinations]
        if (numbers < 0).any():
            new = np.unique(combinations[numbers < 0])
            self._dense[new] = self._numbers_of(new)
            numbers = self._dense[combinations]
        return numbers

    def _numbers_of(self, combinations: Int64s) -> Int64s:
        found = []
        for combination in combinations.tolist():
            number = self._by_combination.get(combination)
            if number is None:
                left, chosen = combination, []
                for choice in reversed(self._words):
                    left, place = divmod(left, len(choice))
                    chosen.append(choice[place] or None)
                number = self._by_combination[combination] = self._number(tuple(reversed(chosen)))
            found.append(number)
        return np.array(found, dtype=np.int64)

    def _number(self, values: tuple[str | None, ...]) -> int:
        number = self._numbers.get(values)
        if number is None:
            number = self._numbers[values] = len(self._texts)
            text, problem = self._written(values)
            self._texts.append(text)
            self.longest = max(self.longest, len(text.encode()))
            if problem is not None:
                self._problems[number] = problem
        return number

    def _written(self, values: tuple[str | None, ...]) -> tuple[str, str | None]:
        text = self._head
        for name, key, value in zip(self._tags, self._keys, values, strict=True):
            if value is None:
                continue
            if "\n" in value or "\r" in value or "\0" in value:
                return "", f"tag {name} has a line break or a NUL: {value!r}"
            if value.endswith("\\"):
                return "", f"tag {name} ends in a backslash: {value!r}"
            text += f",{key}={escaped(value)}"
        if len(text.encode()) > MAX_KEY_BYTES:
            return "", f"measurement and tags are longer than {MAX_KEY_BYTES} bytes"
        return text + " ", None


def _dictionary(column: Array, name: str) -> Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise LineProtocolError(f"tag {name} is {kind}, not text")
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
