"""Line by line through a block of text that a strict parser refuses."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gridlake.ingestion.readers.chunk import Lines, Rejected

_MAX_JOINED = 200
_MAX_RAW = 4000


class Repaired(NamedTuple):
    """A block whose every record has exactly the columns of the header."""

    data: bytes
    lines: Lines
    records: list[str]
    rejected: list[Rejected]


class Repairer:
    """Splits a block into records, sets the wrong ones aside and writes the rest strictly.

    Parameters
    ----------
    header
        Published names; the unnamed at its end stand for trailing separators and may be absent.
    merge_surplus
        Position of the column that takes the surplus fields of a row, if any.
    """

    def __init__(
        self, header: Sequence[str], *, delimiter: str, quote: str, merge_surplus: int | None
    ) -> None:
        self._header = [h.strip() for h in header]
        self._width = len(header)
        self._least = max((i + 1 for i, name in enumerate(header) if name), default=self._width)
        self._delimiter = delimiter
        self._quote = quote
        self._merge = merge_surplus

    def repair(self, block: bytes, first_line: int) -> Repaired:
        """Repair a block that starts at physical line `first_line`."""
        physical = block.split(b"\n")
        if physical and not physical[-1].strip():
            physical.pop()
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self._delimiter, quotechar=self._quote, lineterminator="\n")
        lines: list[int] = []
        records: list[str] = []
        rejected: list[Rejected] = []
        position = 0
        while position < len(physical):
            number = first_line + position
            raw = physical[position].rstrip(b"\r")
            position += 1
            if not raw.strip():
                continue
            text, refusal = _decoded(raw, number)
            if refusal:
                rejected.append(refusal)
                continue
            fields, text, extra = self._fields(text, physical, position)
            position += extra
            result = self._fit(fields, number, text)
            if isinstance(result, Rejected):
                rejected.append(result)
                continue
            writer.writerow([f.replace("\r", " ") for f in result])
            lines.append(number)
            records.append(text)
        return Repaired(out.getvalue().encode(), np.asarray(lines, np.int64), records, rejected)

    def _fields(self, text: str, physical: list[bytes], position: int) -> tuple[list[str], str, int]:
        """Fields of a record, its whole text, and the further physical lines that it takes."""
        if self._quote not in text:
            return text.split(self._delimiter), text, 0
        joined, taken = text, 0
        while joined.count(self._quote) % 2 and taken < _MAX_JOINED and position + taken < len(physical):
            more = physical[position + taken].rstrip(b"\r")
            try:
                joined += "\n" + more.decode()
            except UnicodeDecodeError:
                break
            taken += 1
        fields = self._parse(joined)
        if taken and (joined.count(self._quote) % 2 or len(fields) != self._width):
            joined, taken = text, 0
            fields = self._parse(joined)
        if not taken and len(fields) != self._width:
            literal = text.split(self._delimiter)
            if len(literal) == self._width:
                return literal, text, 0
        return fields, joined, taken

    def _parse(self, text: str) -> list[str]:
        try:
            rows = list(csv.reader(io.StringIO(text), delimiter=self._delimiter, quotechar=self._quote))
        except csv.Error:
            return text.split(self._delimiter)
        return rows[0] if len(rows) == 1 else text.split(self._delimiter)

    def _fit(self, fields: list[str], number: int, text: str) -> list[str] | Rejected:
        count = len(fields)
        if count >= self._least and [f.strip() for f in fields[: self._least]] == self._header[: self._least]:
            return Rejected(
                "repeated_header", "", number, f"line {number} repeats the header", text[:_MAX_RAW]
            )
        if count > self._width:
            while len(fields) > self._width and not fields[-1].strip():
                fields.pop()
            surplus = len(fields) - self._width
            if surplus and self._merge is not None:
                stop = self._merge + surplus + 1
                merged = self._delimiter.join(fields[self._merge : stop])
                fields = [*fields[: self._merge], merged, *fields[stop:]]
            elif surplus:
                message = f"line {number} has {count} columns, the header {self._least}"
                return Rejected("too_many_columns", "", number, message, text[:_MAX_RAW])
        if len(fields) < self._least:
            message = f"line {number} has {count} columns, the header {self._least}"
            if text.count(self._quote) % 2:
                message += "; a quotation mark in it is never closed"
            return Rejected("too_few_columns", "", number, message, text[:_MAX_RAW])
        return fields + [""] * (self._width - len(fields))


def _decoded(raw: bytes, number: int) -> tuple[str, Rejected | None]:
    if b"\0" in raw:
        shown = raw[:_MAX_RAW].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        return "", Rejected("nul_byte", "", number, f"line {number} holds a NUL byte", shown)
    try:
        return raw.decode(), None
    except UnicodeDecodeError as problem:
        shown = raw[:_MAX_RAW].decode("utf-8", "backslashreplace")
        message = f"line {number} is not in the encoding of the file (byte {problem.start + 1} of the line)"
        return "", Rejected("undecodable_text", "", number, message, shown)
