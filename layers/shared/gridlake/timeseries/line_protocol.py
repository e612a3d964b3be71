"""Line protocol straight from Arrow, without a Python object per row.

A point's text is ``measurement,tag=value field=value,field=value time``. Rows of one series share everything before the
fields, so each distinct tag set is escaped once and repeated by its number; columns become text as a whole, floats as the
shortest one that reads back as the same 64 bits.

What line protocol can't carry without changing its meaning is refused, never guessed: a raw newline in a tag would inject a
second point, a trailing backslash would escape the separator after it, a measurement that starts with ``#`` is a comment,
a field called ``time`` is dropped by the server without a word. A null or NaN field is left out (it is missing); an
infinity is refused; a row without any field has no point; an empty tag is an absent tag, as InfluxDB has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from gridlake.timeseries._escaping import escaped_name
from gridlake.timeseries._tag_sets import TagSets
from gridlake.timeseries._values import field_text, stamp_text, widest
from gridlake.timeseries.errors import LineProtocolError

# The stubs of pyarrow describe neither scalar arguments of kernels nor the counts of boolean arrays.
pc: Any = pyarrow.compute
Array = Any

MAX_ROWS = 16_384
"""Rows turned into text at once: memory stays flat, buffers are reused, offsets stay far from the 32-bit limit."""
MIN_TIME_NS = -(2**63) + 2
MAX_TIME_NS = 2**63 - 2
"""First and last instant that InfluxDB stores, in nanoseconds since the epoch."""
_RESERVED = frozenset({"time", "_field", "_measurement"})
_TEXT_LIMIT = 2**31 - 2**20
_UNITS_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that has no line.

    Attributes
    ----------
    row
        Position in the table given to the serialiser, from 0.
    reason
        What line protocol can't carry.
    """

    row: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Points as text, each line ended by a newline.

    Attributes
    ----------
    text
        One string per line.
    rows
        Position of each line's row in the table given to the serialiser (int64); rows without any field have no line.
    refused
        Rows that line protocol can't carry.
    """

    text: Array
    rows: npt.NDArray[np.int64]
    refused: tuple[RefusedRow, ...] = ()

    def __len__(self) -> int:
        return len(self.text)

    def payload(self, start: int = 0, stop: int | None = None) -> memoryview:
        """Bytes of the lines from `start` to `stop`, without a copy."""
        stop = len(self.text) if stop is None else min(stop, len(self.text))
        if start >= stop:
            return memoryview(b"")
        _, offsets, data = self.text.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int32)
        base = self.text.offset
        return memoryview(data)[int(bounds[base + start]) : int(bounds[base + stop])]

    def select(self, positions: npt.NDArray[np.int64]) -> Lines:
        """The lines at these positions, in their order."""
        return Lines(self.text.take(pa.array(positions, pa.int64())), self.rows[positions])


def serialise(
    data: pa.RecordBatch | pa.Table,
    *,
    measurement: str,
    tags: Sequence[str],
    fields: Sequence[str],
    time: str = "time",
) -> memoryview:
    """Line protocol of a table, with times in nanoseconds.

    Parameters
    ----------
    data
        Columns named by `tags` (strings, best dictionary-encoded), `fields` (floats, integers, booleans, decimals or
        strings) and `time` (a timestamp of any unit, read as UTC where it has no zone; or int64 nanoseconds).
    measurement
        Measurement of every point.
    tags, fields
        Names of the columns; tags are written in sorted order. A column that `data` lacks is absent from every point.

    Returns
    -------
    memoryview
        UTF-8 text, one line per row that has a field, each ended by a newline.

    Raises
    ------
    LineProtocolError
        A name, or a value of some row, can't be written; `row` is the first such row.
    """
    serialiser = Serialiser(measurement, tags=tags, fields=fields, time=time)
    numbered = list(serialiser.batches(data))
    if len(numbered) == 1:
        parts = serialiser.payloads(*numbered[0])
    else:
        with ThreadPoolExecutor(min(4, pa.cpu_count())) as pool:
            parts = [
                part for found in pool.map(lambda n: serialiser.payloads(*n), numbered) for part in found
            ]
    return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


class Serialiser:
    """Turns tables of one measurement into lines; remembers the text of every tag set it has seen.

    Parameters
    ----------
    measurement, tags, fields, time
        As in `serialise`.

    Raises
    ------
    LineProtocolError
        A name can't be written, is reserved by InfluxDB, or is both tag and field.
    """

    def __init__(
        self, measurement: str, *, tags: Sequence[str], fields: Sequence[str], time: str = "time"
    ) -> None:
        if measurement.startswith("#"):
            raise LineProtocolError(
                f"measurement {measurement!r} starts with #: the server takes it for a comment"
            )
        names = [*tags, *fields]
        for name in names:
            if name in _RESERVED:
                raise LineProtocolError(f"{name!r} is reserved by InfluxDB and can't name a tag or a field")
        if len(set(names)) != len(names):
            raise LineProtocolError(
                f"a name stands twice among the tags and fields of {measurement}: {names}"
            )
        self.measurement = measurement
        self.tags = tuple(sorted(tags))
        self.fields = tuple(fields)
        self.time = time
        self._tag_sets = TagSets(measurement, tags)
        self._field_keys = {name: escaped_name(name, "field") for name in self.fields}

    def lines(self, data: pa.RecordBatch | pa.Table) -> Iterator[Lines]:
        """Lines of a table, some tens of thousands of rows at a time, with the rows that have none."""
        for batch, first in self.batches(data):
            yield from self._batch(batch, first)

    def payloads(self, batch: pa.RecordBatch, first: int) -> list[memoryview]:
        """Text of a batch whose first row is number `first`.

        Raises
        ------
        LineProtocolError
            A row can't be written.
        """
        parts = []
        for lines in self._batch(batch, first):
            for refused in lines.refused[:1]:
                raise LineProtocolError(
                    f"row {refused.row} of {self.measurement}: {refused.reason}", row=refused.row
                )
            parts.append(lines.payload())
        return parts

    @staticmethod
    def batches(data: pa.RecordBatch | pa.Table) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Batches of at most `MAX_ROWS` rows, each with the number of its first row."""
        table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data
        first = 0
        for batch in table.to_batches(max_chunksize=MAX_ROWS):
            yield batch, first
            first += batch.num_rows

    def tag_sets(self, data: pa.RecordBatch | pa.Table) -> set[str]:
        """Series of a table as InfluxDB names them, escaped ``measurement,tag=value,…``; unwritable ones are left out."""
        used: set[int] = set()
        for batch, _ in self.batches(data):
            used.update(np.flatnonzero(np.bincount(self._tag_sets.numbers(batch))).tolist())
        return {series for series in self._tag_sets.series(sorted(used)) if series is not None}

    def series(self, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], list[str | None]]:
        """Number of each row's series, and the batch's series as InfluxDB names them; None for an unwritable one."""
        numbers = self._tag_sets.numbers(batch)
        counts = np.bincount(numbers)
        used = np.flatnonzero(counts)
        ranks = np.cumsum(counts > 0) - 1
        return ranks[numbers], self._tag_sets.series(used.tolist())

    def _batch(self, batch: pa.RecordBatch, first: int) -> Iterator[Lines]:
        numbers = self._tag_sets.numbers(batch)
        values, trouble = self._values(batch)
        times = self._times(batch, trouble)
        trouble += [(numbers == number, problem) for number, problem in self._tag_sets.problems.items()]
        keep = np.ones(batch.num_rows, dtype=bool)
        if values and all(v.null_count for _, v in values):
            keep = ~np.logical_and.reduce([v.is_null().to_numpy(zero_copy_only=False) for _, v in values])
        elif not values:
            keep[:] = False
        refused: dict[int, str] = {}
        for mask, reason in trouble:
            for row in np.flatnonzero(mask):
                refused.setdefault(int(row), reason)
            keep &= ~mask
        rows = np.flatnonzero(keep)
        if len(rows) < batch.num_rows:
            kept: Array = pa.array(rows)
            numbers, times = numbers[rows], times[rows]
            values = [(name, v.take(kept)) for name, v in values]
        problems = tuple(RefusedRow(first + row, reason) for row, reason in sorted(refused.items()))
        room = 2 * self._tag_sets.longest + 32 + sum(widest(n, v) for n, v in values)
        step = max(1, min(len(rows), _TEXT_LIMIT // room)) if len(rows) else 1
        for start in range(0, max(1, len(rows)), step):
            end = start + step
            part = [(name, v[start:end]) for name, v in values]
            text = self._text(numbers[start:end], part, times[start:end])
            yield Lines(text, rows[start:end] + first, problems if start == 0 else ())

    def _text(
        self,
        numbers: npt.NDArray[np.int64],
        values: list[tuple[str, Array]],
        times: npt.NDArray[np.int64],
    ) -> Array:
        if len(numbers) == 0:
            return pa.array([], pa.string())
        head, stamp = self._tag_sets.texts.take(pa.array(numbers)), stamp_text(times)
        keys = [self._field_keys[name] + "=" for name, _ in values]
        texts = [field_text(value) for _, value in values]
        if any(t.null_count for t in texts):
            pairs = [
                pc.binary_join_element_wise(key, text, "") for key, text in zip(keys, texts, strict=True)
            ]
            fields = [pc.binary_join_element_wise(*pairs, ",", null_handling="skip")]
        else:
            fields = [keys[0], texts[0]]
            for key, text in zip(keys[1:], texts[1:], strict=True):
                fields += [f",{key}", text]
        return pc.binary_join_element_wise(head, *fields, " ", stamp, "\n", "")

    def _values(
        self, batch: pa.RecordBatch
    ) -> tuple[list[tuple[str, Array]], list[tuple[npt.NDArray[np.bool_], str]]]:
        """Columns of the fields with what is missing as null, and the rows that can't be written."""
        values: list[tuple[str, Array]] = []
        trouble: list[tuple[npt.NDArray[np.bool_], str]] = []
        for name in self.fields:
            position = batch.schema.get_field_index(name)
            if position < 0:
                continue
            column = batch.column(position)
            if pa.types.is_null(column.type) or column.null_count == len(column):
                continue
            if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
                column = column.cast(pa.float64())
                finite = pc.is_finite(column)
                if finite.false_count:
                    infinite = pc.is_inf(column).fill_null(False).to_numpy(zero_copy_only=False)
                    if infinite.any():
                        trouble.append((infinite, f"field {name} is infinite"))
                    column = pc.if_else(finite, column, pa.scalar(None, pa.float64()))
            elif pa.types.is_uint64(column.type):
                over = pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())).fill_null(False)
                if over.true_count:
                    trouble.append(
                        (over.to_numpy(zero_copy_only=False), f"field {name} exceeds a 64-bit integer")
                    )
            values.append((name, column))
        return values, trouble

    def _times(
        self, batch: pa.RecordBatch, trouble: list[tuple[npt.NDArray[np.bool_], str]]
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds since the epoch of each row."""
        position = batch.schema.get_field_index(self.time)
        if position < 0:
            raise LineProtocolError(f"there is no time column {self.time!r} for {self.measurement}")
        column = batch.column(position)
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        if pa.types.is_timestamp(column.type):
            scale = _UNITS_NS[column.type.unit]
        elif pa.types.is_int64(column.type):
            scale = 1
        else:
            raise LineProtocolError(f"time column {self.time!r} is {column.type}, not a timestamp")
        if column.null_count:
            trouble.append((column.is_null().to_numpy(zero_copy_only=False), "the time is missing"))
        times: npt.NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy()
        # Ceiling of the lower bound and floor of the upper, in the column's own unit.
        outside = (times < -(-MIN_TIME_NS // scale)) | (times > MAX_TIME_NS // scale)
        if outside.any():
            trouble.append((outside, "the time is outside 1677-09-21 to 2262-04-11"))
            times = np.where(outside, 0, times)
        return times * scale
