"""Workbooks (.xlsx, .xls, .ods) through calamine, cells as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import IO, Any

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from gridlake.ingestion import text as texts
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.readers.chunk import Chunk, Rejected, Wanted
from gridlake.platform.errors import UnreadableFileError

CHUNK_ROWS = 50_000
_PROBE_ROWS = 300


def inspect(content: IO[bytes], *, filename: str, limits: Limits) -> FileFacts:
    """Sheets that hold the table, its header and a sample.

    Raises
    ------
    UnreadableFileError
        ``encrypted_workbook``, ``corrupt_workbook``, ``zip_bomb``, ``no_table``.
    """
    _bounded(content, filename, limits)
    workbook = _open(content, filename)
    tables: list[tuple[int, str, FileFacts]] = []
    other: list[str] = []
    for name in workbook.sheet_names:
        sheet = _sheet(workbook, name, filename)
        rows = [(n, cells) for n, cells in islice(_rows(sheet), _PROBE_ROWS)]
        shown = [(n, [as_text(c) for c in cells]) for n, cells in rows]
        shown = [(n, cells) for n, cells in shown if any(cells)]
        hit = texts._header(shown)
        if hit is None:
            if shown:
                other.append(name)
            continue
        line, cells = shown[hit[1]]
        header = texts.told_apart(c.strip() for c in cells)
        while header and not header[-1]:
            header = header[:-1]
        sample = tuple(tuple(r) for _, r in shown[hit[1] + 1 :][:200])
        header += ("",) * (_usual_width(sample) - len(header))
        words = tuple(tuple(c for c in raw if isinstance(c, str)) for n, raw in rows if n > line)
        facts = FileFacts(
            filename=filename,
            format="xlsx",
            size=0,
            header=header,
            header_line=line,
            data_line=line + 1,
            decimal=texts.find_decimal(words, ";"),
            sample=sample,
        )
        end = sheet.end[0] + 1 if sheet.end else line
        tables.append(((end - line) * min(len(header), 12), name, facts))
    if not tables:
        raise UnreadableFileError(
            f"{filename} has no sheet with a header row of two columns or more",
            code="no_table",
            hint="upload a table with a row of column names above the values",
        )
    # Covers and dictionaries of columns are small: the table is what fills most cells.
    _, _, found = max(tables, key=lambda table: table[0])
    same = [name for _, name, facts in tables if facts.header == found.header]
    other += [name for _, name, facts in tables if facts.header != found.header]
    notices = (f"sheets without this table were not read: {', '.join(other)}",) if other else ()
    return FileFacts(
        **{
            **found.as_dict(),
            "header": found.header,
            "sample": found.sample,
            "sheets": tuple(same),
            "notices": notices,
        }
    )


def read(content: IO[bytes], facts: FileFacts, wanted: Wanted) -> Iterator[Callable[[], Chunk]]:
    """Rows of the sheets in order. The file is read as the calls are made, so they must be made in order."""
    workbook = _open(content, facts.filename)
    for name in facts.sheets or workbook.sheet_names[:1]:
        numbered = _below(_rows(_sheet(workbook, name, facts.filename)), facts)
        while part := list(islice(numbered, CHUNK_ROWS)):
            chunk = _chunk(part, facts, wanted)
            yield lambda chunk=chunk: chunk  # type: ignore[misc]


def _usual_width(rows: tuple[tuple[str, ...], ...]) -> int:
    """Columns up to the last filled one, in at least half of the rows: those beyond the header have no name."""
    widths = sorted(max((i for i, cell in enumerate(row, start=1) if cell), default=0) for row in rows)
    return widths[len(widths) // 2] if widths else 0


def _below(rows: Iterator[tuple[int, list[Any]]], facts: FileFacts) -> Iterator[tuple[int, list[Any]]]:
    """The rows below the header, wherever it stands in this sheet."""
    above: list[tuple[int, list[Any]]] = []
    for number, cells in rows:
        if texts.told_apart(as_text(c).strip() for c in cells[: len(facts.header)]) == facts.header:
            yield from rows
            return
        above.append((number, cells))
    yield from (row for row in above if row[0] >= facts.data_line)


def _chunk(part: list[tuple[int, list[Any]]], facts: FileFacts, wanted: Wanted) -> Chunk:
    width = len(facts.header)
    header = [h.strip() for h in facts.header]
    kept: list[list[Any]] = []
    lines: list[int] = []
    rejected: list[Rejected] = []
    for number, cells in part:
        if not any(c != "" and c is not None for c in cells):
            continue
        if [as_text(c).strip() for c in cells[:width]] == header:
            message = f"row {number} repeats the header"
            rejected.append(Rejected("repeated_header", "", number, message, _as_json(facts.header, cells)))
            continue
        if any(c != "" and c is not None for c in cells[width:]):
            message = f"row {number} has values to the right of the last named column"
            rejected.append(Rejected("too_many_columns", "", number, message, _as_json(facts.header, cells)))
            continue
        kept.append(cells)
        lines.append(number)
    columns: dict[int, pa.Array] = {}
    for i in wanted.positions:
        values = [_cell(cells, i) for cells in kept]
        if i in wanted.numbers and all(type(v) in (float, int) or v in ("", None) for v in values):
            columns[i] = pa.array(
                [float(v) if type(v) in (float, int) else None for v in values], pa.float64()
            )
        else:
            sign = facts.decimal if i in wanted.numbers else "."
            text = pa.array([as_text(v, decimal=sign) for v in values], pa.string())
            columns[i] = text.dictionary_encode() if i in wanted.texts else text
    return Chunk(
        columns=columns,
        lines=np.asarray(lines, np.int64),
        raw=lambda rows: [_as_json(facts.header, kept[i]) for i in rows],
        rejected=rejected,
    )


def _cell(cells: Sequence[Any], position: int) -> Any:
    return cells[position] if position < len(cells) else ""


def as_text(value: Any, *, decimal: str = ".") -> str:
    """A cell as the text a CSV would hold: ISO dates, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
        return str(int(value)) if whole else repr(value).replace(".", decimal)
    if isinstance(value, datetime):
        nearest = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return nearest.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _as_json(header: Sequence[str], cells: Sequence[Any]) -> str:
    names = [h or f"column {i + 1}" for i, h in enumerate(header)]
    names += [f"column {i + 1}" for i in range(len(names), len(cells))]
    return json.dumps({n: as_text(c) for n, c in zip(names, cells, strict=False)}, ensure_ascii=False)


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """Rows with their number in the sheet (from 1), all starting at column A."""
    if sheet.start is None:
        return
    top, left = sheet.start
    for number, cells in enumerate(sheet.to_python(skip_empty_area=True), start=top + 1):
        yield number, [""] * left + list(cells)


def _open(content: IO[bytes], filename: str) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_filelike(content)
    except PasswordError as problem:
        raise UnreadableFileError(
            f"{filename} is a workbook protected by a password",
            code="encrypted_workbook",
            hint="save it without a password and upload it again",
        ) from problem
    except (CalamineError, OSError, ValueError) as problem:
        raise _corrupt(filename, problem) from problem


def _sheet(workbook: CalamineWorkbook, name: str, filename: str) -> CalamineSheet:
    try:
        return workbook.get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError) as problem:
        raise _corrupt(filename, problem) from problem


def _corrupt(filename: str, problem: BaseException) -> UnreadableFileError:
    return UnreadableFileError(
        f"{filename} is a damaged workbook: {problem}",
        code="corrupt_workbook",
        hint="open and save it again, or fetch it again",
    )


def _bounded(content: IO[bytes], filename: str, limits: Limits) -> None:
    import zipfile

    from gridlake.ingestion.archives import bomb

    try:
        with zipfile.ZipFile(content) as archive:
            total = sum(e.file_size for e in archive.infolist())
            packed = sum(e.compress_size for e in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        total, packed = 0, 1
    content.seek(0)
    ratio = total / max(packed, 1)
    if total > limits.max_workbook or (total > limits.ratio_floor and ratio > limits.max_ratio):
        raise bomb(filename, total, ratio)
