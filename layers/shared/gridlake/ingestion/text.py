"""Text files: encoding, delimiter, decimal sign and header row, found from the content."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable
from typing import IO, Literal, NamedTuple

from gridlake.contracts.text import header_key
from gridlake.ingestion.facts import MIB

DELIMITERS = (";", ",", "\t", "|")
HEAD_BYTES = MIB
_ODD_LINES = 2000
_NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?|\d{1,2}:\d{2}(?::\d{2})?|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}.*"
)


class Layout(NamedTuple):
    """How the lines of a text file make a table."""

    delimiter: str
    header: tuple[str, ...]
    header_line: int
    data_line: int
    rows: tuple[tuple[str, ...], ...]


def bom_encoding(head: bytes) -> str | None:
    """Encoding told by a byte order mark, or by the zero bytes of UTF-16 text without one."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    probe = head[:4096]
    if len(probe) >= 4:
        even, odd = probe[0::2].count(0) / len(probe[0::2]), probe[1::2].count(0) / len(probe[1::2])
        if odd > 0.6 and even < 0.1:
            return "utf-16-le"
        if even > 0.6 and odd < 0.1:
            return "utf-16-be"
    return None


def find_encoding(head: bytes, rest: IO[bytes], *, scan: int) -> str:
    """Encoding of a text stream.

    The accents of a long file may come late, so up to `scan` bytes are looked at. Each line with bytes beyond ASCII
    votes: UTF-8 wins a tie, and lines of the minority are quarantined by the reader.
    """
    known = bom_encoding(head)
    if known:
        return known
    lines: list[bytes] = []
    block, seen, tail = head, 0, b""
    while block and seen < scan and len(lines) < _ODD_LINES:
        seen += len(block)
        if not block.isascii() or tail:
            parts = (tail + block).split(b"\n")
            tail = parts.pop() if len(parts[-1]) < MIB else b""
            lines.extend(line for line in parts if not line.isascii())
        block = rest.read(4 * MIB)
    if not tail.isascii():
        lines.append(tail)
    if not lines:
        return "utf-8"
    valid = sum(_decodes(line, "utf-8") for line in lines)
    if valid * 2 >= len(lines):
        return "utf-8"
    odd = [line for line in lines if not _decodes(line, "utf-8")]
    return _legacy(odd)


def _legacy(lines: list[bytes]) -> str:
    """Shift-JIS when half-way through its lead bytes and clean throughout; else the Windows form of Latin-1."""
    text = b"\n".join(lines)
    high = [b for b in text if b >= 0x80]
    leads = sum(0x81 <= b <= 0x9F for b in high)
    if leads / len(high) > 0.25 and sum(_decodes(line, "cp932") for line in lines) > 0.95 * len(lines):
        return "cp932"
    return "cp1252" if _decodes(text, "cp1252") else "latin-1"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def is_garbage(head: bytes, encoding: str) -> bool:
    """Whether the bytes are not text at all."""
    if encoding.startswith("utf-16"):
        return False
    sample = head[:65536].rstrip(b"\0")
    control = sum(sample.count(bytes([b])) for b in range(32) if b not in (0, 9, 10, 12, 13, 26, 27))
    zeros = sample.count(0)
    return control > 0.02 * len(sample) or zeros > 0.2 * len(sample)


def find_layout(text: str, *, complete: bool) -> Layout | None:
    """Delimiter and header row of a text, or None where no line has two columns.

    Parameters
    ----------
    text
        Beginning of the file, decoded; `complete` says that it is the whole of it.
    """
    best: tuple[float, Layout] | None = None
    for delimiter in DELIMITERS:
        rows = _rows(text, delimiter, complete=complete)
        found = _header(rows)
        if found is None:
            continue
        score, position = found
        line, cells = rows[position]
        following = rows[position + 1 :]
        header = told_apart(c.strip().strip("\ufeff") for c in cells)
        width = Counter(len(c) for _, c in following).most_common(1)[0][0] if following else len(header)
        header += ("",) * (width - len(header) if _surplus_is_empty(following, len(header)) else 0)
        next_line = following[0][0] if following else line + _height(cells)
        layout = Layout(delimiter, header, line, next_line, tuple(tuple(c) for _, c in following[:200]))
        if best is None or score > best[0]:
            best = (score, layout)
    return best[1] if best else None


def _rows(text: str, delimiter: str, *, complete: bool) -> list[tuple[int, list[str]]]:
    lines = text.split("\n" if "\n" in text else "\r")
    if not complete and len(lines) > 1:
        lines.pop()
    # Lines end where the reader ends them, at line feeds alone: a stray return or form feed is no line of its own.
    plain = (line.rstrip("\r").replace("\r", " ").replace("\0", "") + "\n" for line in lines[:1000])
    reader = csv.reader(plain, delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return rows
        except csv.Error:
            continue
        if any(c.strip() for c in cells):
            rows.append((line, cells))


def _header(rows: list[tuple[int, list[str]]]) -> tuple[float, int] | None:
    """Score of reading the rows as a table, and the position of its header."""
    if not rows:
        return None
    widths = Counter(len(cells) for _, cells in rows)
    weight = {w: n * min(w - 1, 40) for w, n in widths.items() if w >= 2}
    if not weight:
        return None
    usual = max(weight, key=lambda w: (weight[w], w))
    # A row of repeated names is one of groups above the header, unless there is no other.
    for distinct in (0.7, 0.3):
        found = _first_names(rows[:60], usual, distinct)
        if found is not None:
            width = len(rows[found][1])
            inside = sum(n for w, n in widths.items() if abs(w - width) <= max(1, width // 10))
            exact = widths[width] + widths[width + 1]
            return (inside + exact) / (2 * len(rows)) * min(width, 12) / (1 + 0.02 * found), found
    return None


def _first_names(rows: list[tuple[int, list[str]]], usual: int, distinct: float) -> int | None:
    """Position of the first row of names; but a narrow one above it is a title (``Unit;MW``)."""
    best: tuple[int, int] | None = None
    for position, (_, cells) in enumerate(rows):
        named = [c.strip() for c in cells if c.strip()]
        if len(named) >= 2 and len(named) >= 0.5 * usual and looks_like_header(named, distinct=distinct):
            if best is None or (best[1] < 0.7 * usual and len(named) > 1.4 * best[1]):
                best = (position, len(named))
        elif best is not None and len(named) >= 0.5 * usual:
            break
    return best[0] if best else None


def looks_like_header(cells: list[str], *, distinct: float = 0.7) -> bool:
    """Whether the non-empty cells of a row are names: mostly words, hardly repeated."""
    values = sum(bool(_NUMBER.fullmatch(c) or _DATE.fullmatch(c)) for c in cells)
    return values <= 0.2 * len(cells) and len({c.casefold() for c in cells}) >= distinct * len(cells)


def told_apart(names: Iterable[str]) -> tuple[str, ...]:
    """Names of columns, repeated ones numbered from their second: ``value``, ``value.2``."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        key = header_key(name)
        seen[key] += 1
        result.append(f"{name}.{seen[key]}" if name and seen[key] > 1 else name)
    return tuple(result)


def _surplus_is_empty(rows: list[tuple[int, list[str]]], width: int) -> bool:
    longer = [cells for _, cells in rows if len(cells) > width]
    return len(longer) > 0.5 * len(rows) and all(
        not any(c.strip() for c in cells[width:]) for cells in longer
    )


def _height(cells: list[str]) -> int:
    return 1 + sum(c.count("\n") for c in cells)


def find_decimal(rows: tuple[tuple[str, ...], ...], delimiter: str) -> Literal[".", ","]:
    """Decimal sign of the numbers in the rows.

    ``2.397,64`` and ``0,5`` can only be decimal commas, ``2,397.64`` and ``12.75`` only points. ``1.234`` could be
    either: such cells decide only where nothing else does, and then the sign they show is taken as the decimal one
    unless it separates the columns.
    """
    sure: Counter[Literal[".", ","]] = Counter()
    unsure: Counter[Literal[".", ","]] = Counter()
    for row in rows:
        for cell in row:
            text = cell.strip().lstrip("+-")
            if not text or not _NUMBER.fullmatch(text) or _DATE.fullmatch(text):
                continue
            points, commas = text.count("."), text.count(",")
            if points and commas:
                sure["," if text.rfind(",") > text.rfind(".") else "."] += 1
            elif points > 1 or commas > 1:
                sure["," if points > 1 else "."] += 1
            elif points or commas:
                sign: Literal[".", ","] = "." if points else ","
                whole, fraction = text.split(sign)
                grouped = (
                    len(fraction) == 3 and fraction.isdigit() and 1 <= len(whole) <= 3 and whole[0] != "0"
                )
                (unsure if grouped else sure)[sign] += 1
    if sure:
        return sure.most_common(1)[0][0]
    if unsure[","] > unsure["."] and delimiter != ",":
        return ","
    return "."
