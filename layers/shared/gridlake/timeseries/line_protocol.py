"""Line protocol straight from Arrow, without a Python object per row.

A point's text is ``measurement,tag=value field=value,field=value time``. Rows of one series share everything before the
fields, so each distinct tag set is escaped once and repeated by its dictionary index; numbers are printed by Arrow, whose
floats are the shortest text that reads back as the same 64 bits.

What line protocol can't carry without changing its meaning is refused, never guessed: a raw newline in a tag would inject a
second point, a trailing backslash would escape the separator after it, a measurement that starts with ``#`` is a comment,
a field called ``time`` is dropped by the server without a word. A null or NaN field is left out (it is missing); an
infinity is refused; a row without any field has no point; an empty tag is an absent tag, as InfluxDB has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from gridlake.timeseries.errors import LineProtocolError

# The stubs of pyarrow describe neither scalar arguments of kernels nor the counts of boolean arrays.
pc: Any = pyarrow.compute
Array = Any

MAX_ROWS = 16_384
"""Rows turned into text at once: memory stays flat, buffers are reused, offsets stay far from the 32-bit limit."""
MAX_KEY_BYTES = 65_535
"""Longest measurement with tags that InfluxDB stores."""
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
        self._head = _escaped_name(measurement, "measurement", equals=False)
        self._tag_keys = [_escaped_name(name, "tag") for name in self.tags]
        self._field_keys = {name: _escaped_name(name, "field") for name in self.fields}
        self._known: tuple[list[Array | None], dict[int, tuple[str, str | None]]] = ([], {})
        self._prefixes: dict[tuple[str | None, ...], tuple[str, str | None]] = {}

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
        return {
            series
            for batch, _ in self.batches(data)
            for series in self.series(batch)[1]
            if series is not None
        }

    def series(self, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], list[str | None]]:
        """Number of each row's series, and the series as InfluxDB names them; None for an unwritable one."""
        codes, prefixes = self._tag_sets(batch)
        return codes, [prefix[:-1] if problem is None else None for prefix, problem in prefixes]

    def _batch(self, batch: pa.RecordBatch, first: int) -> Iterator[Lines]:
        codes, prefixes = self._tag_sets(batch)
        values, trouble = self._values(batch)
        times = self._times(batch, trouble)
        for code, (_, problem) in enumerate(prefixes):
            if problem is not None:
                trouble.append((codes == code, problem))
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
            codes, times = codes[rows], times[rows]
            values = [(name, v.take(kept)) for name, v in values]
        texts = [p for p, _ in prefixes]
        problems = tuple(RefusedRow(first + row, reason) for row, reason in sorted(refused.items()))
        room = 4 * max(map(len, texts), default=0) + 32 + sum(_width(n, v) for n, v in values)
        step = max(1, min(len(rows), _TEXT_LIMIT // room)) if len(rows) else 1
        for start in range(0, max(1, len(rows)), step):
            end = start + step
            part = [(name, v[start:end]) for name, v in values]
            text = self._text(texts, codes[start:end], part, times[start:end])
            yield Lines(text, rows[start:end] + first, problems if start == 0 else ())

    def _text(
        self,
        prefixes: list[str],
        codes: npt.NDArray[np.int64],
        values: list[tuple[str, Array]],
        times: npt.NDArray[np.int64],
    ) -> Array:
        if len(codes) == 0:
            return pa.array([], pa.string())
        every: Array = pa.array(prefixes, pa.string())
        head, stamp = every.take(pa.array(codes)), pa.array(times).cast(pa.string())
        keys = [self._field_keys[name] + "=" for name, _ in values]
        texts = [_field_text(value) for _, value in values]
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

    def _tag_sets(self, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], list[tuple[str, str | None]]]:
        """Number of each row's tag set, and the text (or the problem) of each tag set."""
        codes = np.zeros(batch.num_rows, dtype=np.int64)
        columns: list[Array | None] = []
        combinations = 1
        for name in self.tags:
            position = batch.schema.get_field_index(name)
            if position < 0:
                columns.append(None)
                continue
            column = _dictionary(batch.column(position), name)
            size = len(column.dictionary) + 1
            combinations *= size
            if combinations >= 2**62:
                raise LineProtocolError(f"the tags of {self.measurement} have too many values for one batch")
            index = column.indices.fill_null(size - 1).to_numpy(zero_copy_only=False)
            codes = codes * size + index
            columns.append(column.dictionary)
        encoded: Array = pa.array(codes).dictionary_encode()
        ranks: npt.NDArray[np.int64] = encoded.indices.to_numpy().astype(np.int64)
        texts = self._texts_of(columns)
        return ranks, [texts(combination) for combination in encoded.dictionary.to_pylist()]

    def _texts_of(self, columns: list[Array | None]) -> Callable[[int], tuple[str, str | None]]:
        """Text of a combination of dictionary positions; batches with the same dictionaries share what is known."""
        last, known = self._known
        same = len(last) == len(columns) and all(
            (a is None and b is None) or (a is not None and b is not None and a.equals(b))
            for a, b in zip(last, columns, strict=True)
        )
        if not same:
            known = {}
            self._known = (columns, known)
        words: list[list[str | None]] = [[None] if c is None else [*c.to_pylist(), None] for c in columns]

        def text(combination: int) -> tuple[str, str | None]:
            found = known.get(combination)
            if found is None:
                left, chosen = combination, []
                for choice in reversed(words):
                    left, place = divmod(left, len(choice))
                    chosen.append(choice[place] or None)
                found = known[combination] = self._prefix(tuple(reversed(chosen)))
            return found

        return text

    def _prefix(self, values: tuple[str | None, ...]) -> tuple[str, str | None]:
        known = self._prefixes.get(values)
        if known is None:
            known = self._prefixes[values] = self._new_prefix(values)
        return known

    def _new_prefix(self, values: tuple[str | None, ...]) -> tuple[str, str | None]:
        text = self._head
        for name, key, value in zip(self.tags, self._tag_keys, values, strict=True):
            if value is None:
                continue
            if "\n" in value or "\r" in value or "\0" in value:
                return "", f"tag {name} has a line break or a NUL: {value!r}"
            if value.endswith("\\"):
                return "", f"tag {name} ends in a backslash: {value!r}"
            text += f",{key}={_escaped(value)}"
        if len(text.encode()) > MAX_KEY_BYTES:
            return "", f"measurement and tags are longer than {MAX_KEY_BYTES} bytes"
        return text + " ", None

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


def _dictionary(column: Array, name: str) -> Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise LineProtocolError(f"tag {name} is {kind}, not text")
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _field_text(column: Array) -> Array:
    """Text of a field's values; null stays null."""
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        return pc.binary_join_element_wise(column.cast(pa.string()), "i", "")
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        escaped = pc.replace_substring(column.cast(pa.string()), "\\", "\\\\")
        return pc.binary_join_element_wise('"', pc.replace_substring(escaped, '"', '\\"'), '"', "")
    raise LineProtocolError(f"a field of type {kind} can't be written as line protocol")


def _width(name: str, column: Array) -> int:
    """Most bytes that one value of a field takes with its key."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        longest = pc.max(pc.binary_length(column)).as_py() or 0
    else:
        longest = 32
    return 2 * (len(name.encode()) + int(longest)) + 4


def _escaped(text: str) -> str:
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _escaped_name(name: str, what: str, *, equals: bool = True) -> str:
    if not name:
        raise LineProtocolError(f"a {what} without a name")
    # A leading tab is skipped and a NUL can't be asked for: no control character belongs in a name.
    if any(ord(character) < ord(" ") for character in name):
        raise LineProtocolError(f"the name of {what} {name!r} has a control character")
    if name.endswith("\\"):
        raise LineProtocolError(f"the name of {what} {name!r} ends in a backslash")
    return _escaped(name) if equals else name.replace(",", "\\,").replace(" ", "\\ ")
