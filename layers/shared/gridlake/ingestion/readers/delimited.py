"""Delimited text, in blocks of whole records parsed by pyarrow."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from gridlake.ingestion.facts import MIB, FileFacts
from gridlake.ingestion.readers.chunk import Chunk, Rejected, Wanted
from gridlake.ingestion.readers.repair import Repairer
from gridlake.platform.errors import UnreadableFileError

BLOCK = 8 * MIB
_MAX_LINE = 32 * MIB
_FAILED_COLUMN = re.compile(r"In CSV column #(\d+)")
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def read(stream: IO[bytes], facts: FileFacts, wanted: Wanted) -> Iterator[Callable[[], Chunk]]:
    """Blocks of rows, each as a call that parses it: calls may run in other threads, in any order."""
    parser = _Parser(facts, wanted)
    for block, first_line in _blocks(_utf8(stream, facts.encoding), facts):
        yield lambda block=block, first_line=first_line: parser.parse(block, first_line)  # type: ignore[misc]


class _Parser:
    def __init__(self, facts: FileFacts, wanted: Wanted) -> None:
        self._facts = facts
        self._wanted = wanted
        self._names = [str(i) for i in range(len(facts.header))]
        self._repairer = Repairer(
            facts.header, delimiter=facts.delimiter, quote=facts.quote, merge_surplus=wanted.merge_surplus
        )
        self._header_line = facts.delimiter.join(facts.header).rstrip(facts.delimiter).encode()
        self._quoted_header = facts.quote.encode() + (facts.header[0] if facts.header else "").encode()
        self._as_text: set[int] = set()
        words = list(wanted.numbers.values())
        self._missing = ["", *(frozenset.intersection(*words) if words else ())]

    def parse(self, block: bytes, first_line: int) -> Chunk:
        """One block; by the fast path where every line is one clean record."""
        if self._looks_clean(block):
            table = self._table(block, strict=True)
            whole = table is not None and table.num_rows == block.count(b"\n")
            if table is not None and whole and not self._repeats_header(table):
                lines = np.arange(first_line, first_line + table.num_rows, dtype=np.int64)
                return Chunk(columns=_columns(table), lines=lines, raw=_LazyLines(block))
        repaired = self._repairer.repair(block, first_line)
        if not repaired.records:
            return Chunk(columns={}, lines=repaired.lines, raw=_pick([]), rejected=repaired.rejected)
        table = self._table(repaired.data, strict=False)
        if table is None or table.num_rows != len(repaired.records):
            return self._one_by_one(
                repaired.data, repaired.records, repaired.lines.tolist(), repaired.rejected
            )
        return Chunk(
            columns=_columns(table),
            lines=repaired.lines,
            raw=_pick(repaired.records),
            rejected=repaired.rejected,
        )

    def _looks_clean(self, block: bytes) -> bool:
        if b"\0" in block or self._header_line in block or self._quoted_header in block:
            return False
        if block.isascii():
            return True
        try:
            block.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _repeats_header(self, table: pa.Table) -> bool:
        """Whether a column of codes holds its own name, as a repeated header padded with spaces does."""
        for i in sorted(self._wanted.texts)[:1]:
            for chunk in table.column(str(i)).chunks:
                if pc.any(
                    pc.equal(pc.utf8_trim_whitespace(chunk.dictionary), self._facts.header[i].strip())
                ).as_py():
                    return True
        return False

    def _table(self, data: bytes, *, strict: bool) -> pa.Table | None:
        """The wanted columns of a block; None where some row has another number of columns."""
        odd: list[int] = []

        def skip(row: pacsv.InvalidRow) -> str:
            odd.append(row.actual_columns)
            return "skip"

        quoted = self._facts.quote.encode() in data
        while True:
            types: dict[str, pa.DataType] = {str(i): _DICTIONARY for i in self._wanted.texts}
            types |= {str(i): pa.string() for i in self._wanted.free}
            for i in self._wanted.numbers:
                types[str(i)] = pa.string() if i in self._as_text else pa.float64()
            try:
                table = pacsv.read_csv(
                    pa.BufferReader(data),
                    read_options=pacsv.ReadOptions(
                        column_names=self._names, use_threads=False, block_size=min(len(data) + 1, 2**31 - 1)
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=self._facts.delimiter,
                        quote_char=self._facts.quote,
                        newlines_in_values=quoted,
                        invalid_row_handler=skip,
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=types,
                        include_columns=[str(i) for i in self._wanted.positions],
                        null_values=self._missing,
                        strings_can_be_null=False,
                        decimal_point=self._facts.decimal,
                        check_utf8=False,
                    ),
                )
            except pa.ArrowInvalid as problem:
                hit = _FAILED_COLUMN.search(str(problem))
                if hit is None or int(hit[1]) in self._as_text:
                    return None
                self._as_text.add(int(hit[1]))
                continue
            return None if odd and strict else table

    def _one_by_one(
        self, data: bytes, records: list[str], lines: list[int], rejected: list[Rejected]
    ) -> Chunk:
        """Last resort for a record that pyarrow reads otherwise than the csv module: values by the latter."""
        import csv
        import io

        rows = list(
            csv.reader(
                io.StringIO(data.decode(), newline=""),
                delimiter=self._facts.delimiter,
                quotechar=self._facts.quote,
            )
        )
        columns: dict[int, pa.Array] = {
            i: pa.array([row[i] for row in rows], pa.string()) for i in self._wanted.positions
        }
        return Chunk(
            columns=columns, lines=np.asarray(lines, np.int64), raw=_pick(records), rejected=rejected
        )


def _columns(table: pa.Table) -> dict[int, pa.Array]:
    return {
        int(name): column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


class _LazyLines:
    """Source lines of a clean block, split only when one is asked for."""

    def __init__(self, block: bytes) -> None:
        self._block = block

    def __call__(self, rows: Sequence[int]) -> list[str]:
        lines = self._block.split(b"\n")
        return [lines[i].rstrip(b"\r").decode("utf-8", "replace") for i in rows]


def _pick(records: list[str]) -> Callable[[Sequence[int]], list[str]]:
    return lambda rows: [records[i] for i in rows]


def _utf8(stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    """The stream as UTF-8 bytes, cut anywhere; lines that can't be decoded stay as they are."""
    if encoding.startswith("utf-16"):
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        while data := stream.read(BLOCK):
            yield decoder.decode(data).encode("utf-8", "replace")
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")
        return
    tail = b""
    first = True
    while data := stream.read(BLOCK):
        if first:
            data, first = data.removeprefix(codecs.BOM_UTF8), False
        if encoding in ("utf-8", "utf-8-sig"):
            yield data
            continue
        head, newline, tail_next = (tail + data).rpartition(b"\n")
        tail = tail_next
        yield _recode(head + newline, encoding)
    if tail:
        yield _recode(tail, encoding)


def _recode(block: bytes, encoding: str) -> bytes:
    if block.isascii():
        return block
    return b"\n".join(line if line.isascii() else _recode_line(line, encoding) for line in block.split(b"\n"))


def _recode_line(line: bytes, encoding: str) -> bytes:
    """A line that is valid UTF-8 beyond ASCII is UTF-8, whatever the rest of the file is."""
    try:
        line.decode()
    except UnicodeDecodeError:
        try:
            return line.decode(encoding).encode()
        except UnicodeDecodeError:
            return line
    return line


def _blocks(pieces: Iterator[bytes], facts: FileFacts) -> Iterator[tuple[bytes, int]]:
    """Whole records in blocks of about `BLOCK` bytes, with the physical line on which each block starts."""
    quote = facts.quote.encode()
    skip = facts.data_line - 1
    line = facts.data_line
    buffer = b""
    mac: bool | None = None
    for piece in pieces:
        if mac is None and piece:
            mac = b"\r" in piece and b"\n" not in piece
        buffer += piece.replace(b"\r", b"\n") if mac else piece
        while skip and (cut := buffer.find(b"\n")) >= 0:
            buffer, skip = buffer[cut + 1 :], skip - 1
        if skip or len(buffer) < BLOCK:
            continue
        cut = _last_record_end(buffer, quote)
        if cut == 0:
            if len(buffer) > _MAX_LINE:
                raise UnreadableFileError(
                    f"{facts.filename}: line {line} is longer than {_MAX_LINE} bytes",
                    code="binary_garbage",
                    hint="check that the right file was uploaded and that no transfer damaged it",
                )
            continue
        yield buffer[:cut], line
        line += buffer.count(b"\n", 0, cut)
        buffer = buffer[cut:]
    buffer = buffer.rstrip(b"\x1a")
    if not skip and buffer:
        yield (buffer if buffer.endswith(b"\n") else buffer + b"\n"), line


def _last_record_end(buffer: bytes, quote: bytes) -> int:
    """Position after the last newline outside quotes; after the last newline where quotes don't balance."""
    end = buffer.rfind(b"\n") + 1
    if buffer.count(quote, 0, end) % 2 == 0:
        return end
    view = np.frombuffer(buffer, np.uint8, count=end)
    newlines = np.flatnonzero(view == 10)
    inside = np.searchsorted(np.flatnonzero(view == quote[0]), newlines) % 2
    outside = newlines[inside == 0]
    if len(outside) == 0 or end - outside[-1] > MIB:
        return end
    return int(outside[-1]) + 1
