"""Printed stamps to wall-clock seconds, for whole arrays of distinct texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.text import EPOCH_FORMATS
from gridlake.ingestion.zones import Mask, Seconds

ISO = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
_WIDTH = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "y": 2, "b": 3}
_MONTHS = {
    name: i
    for i, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_MONTHS |= {"fev": 2, "abr": 4, "mai": 5, "ago": 8, "set": 9, "out": 10, "dez": 12}
_MONTH_WORD = re.compile(r"[A-Za-z]{3,}")
_SERIAL = r"^\d{5}(?:[.,]\d+)?$"
_OFFSET = r"^(?P<stamp>.*\d:\d{2}(?:[.]\d+)?) ?(?P<offset>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_LIKELY = re.compile(r"\d.*\d")
_SERIAL_ORIGIN = -2_209_161_600
"""1899-12-30, day 0 of a workbook, in seconds since 1970."""
_YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y")
_MONTH_NAMED = ("%d-%b-%Y", "%d %b %Y", "%d/%b/%Y", "%d-%b-%y")
_HOURS = (" %H:%M:%S", " %H:%M", "", " %H:%M:%S.%f", "T%H:%M:%S", "T%H:%M", "T%H:%M:%S.%f")


class Parsed(NamedTuple):
    """Wall-clock seconds of each text.

    `absolute` marks those that carry their own offset from UTC and are instants already; `valid` those that parsed.
    """

    seconds: Seconds
    valid: Mask
    absolute: Mask


def widened(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats, and after them those that mean the same in other marks.

    A year that comes first is always followed by the month. A day before the month is only read so where one of
    `formats` has that order; never a month before the day.
    """
    days = _YEAR_FIRST + _MONTH_NAMED + (_DAY_FIRST if any(f.startswith(_DAY_FIRST) for f in formats) else ())
    more = (day + hour for day in days for hour in (_HOURS[:3] if "b" in day else _HOURS))
    return tuple(dict.fromkeys((*formats, *more)))


def parse(texts: pa.Array, formats: Sequence[str], *, serials: bool = False) -> Parsed:
    """Read stamps by the first format that fits each.

    Parameters
    ----------
    texts
        string[n], outer spaces removed.
    formats
        `strptime` formats. Texts of fixed width are read array-wise, anything else one by one.
    serials
        Whether numbers of five digits are days since 1899-12-30 with a fraction, as workbooks print them.

    Notes
    -----
    Fractions of a second are cut off: no publisher's interval is that short.
    """
    count = len(texts)
    seconds = np.zeros(count, np.int64)
    valid = np.zeros(count, np.bool_)
    absolute = np.zeros(count, np.bool_)
    lengths = np.asarray(pc.fill_null(pc.binary_length(texts), 0))
    for pattern in formats:
        if valid.all():
            break
        if pattern in EPOCH_FORMATS:
            counts = np.asarray(pc.match_substring_regex(texts, r"^-?\d+(?:\.\d*)?$")) & ~valid
            values = np.asarray(pc.cast(texts.filter(pa.array(counts)), pa.float64()))
            seconds[counts] = np.floor(values / EPOCH_FORMATS[pattern]).astype(np.int64)
            valid |= counts
            absolute |= counts
            continue
        _array_wise(texts, lengths, pattern, seconds, valid)
    _padded(texts, lengths, formats, seconds, valid)
    _with_offset(texts, lengths, formats, seconds, valid, absolute)
    rest = np.flatnonzero(~valid & (lengths > 0))
    if serials and len(rest):
        some = texts.take(pa.array(rest))
        hit = np.asarray(pc.match_substring_regex(some, _SERIAL))
        if hit.any():
            points = pc.replace_substring(some.filter(pa.array(hit)), ",", ".")
            days = np.asarray(pc.cast(points, pa.float64()))
            seconds[rest[hit]] = np.rint(days * 86_400).astype(np.int64) + _SERIAL_ORIGIN
            valid[rest[hit]] = True
            rest = rest[~hit]
    free = [f for f in formats if f not in EPOCH_FORMATS and ("%b" in f or _tokens(f) is None)]
    for i, text in zip(rest.tolist(), texts.take(pa.array(rest)).to_pylist(), strict=True):
        found = _one(text, free) if _LIKELY.search(text) else None
        if found is not None:
            seconds[i], absolute[i] = found
            valid[i] = True
    return Parsed(seconds, valid, absolute)


def mostly_serials(texts: pa.Array) -> bool:
    """Whether most of the stamps of a file are workbook serial numbers."""
    if len(texts) == 0:
        return False
    hits = pc.sum(pc.match_substring_regex(texts, _SERIAL)).as_py() or 0
    return bool(hits > 0.5 * len(texts))


def _padded(
    texts: pa.Array,
    lengths: npt.NDArray[np.int32],
    formats: Sequence[str],
    seconds: Seconds,
    valid: Mask,
) -> None:
    """Texts with single digits (``1/2/2020 3:00``) or spare spaces, written in full and read array-wise."""
    rest = np.flatnonzero(~valid & (lengths > 0))
    if len(rest) == 0:
        return
    some = pc.replace_substring_regex(texts.take(pa.array(rest)), r"[\s\x{00a0}]+", " ")
    for _ in range(2):
        some = pc.replace_substring_regex(some, r"(^|\D)(\d)(\D|$)", r"\10\2\3")
    widths = np.asarray(pc.binary_length(some))
    part, good = np.zeros(len(rest), np.int64), np.zeros(len(rest), np.bool_)
    for pattern in formats:
        if pattern not in EPOCH_FORMATS:
            _array_wise(some, widths, pattern, part, good)
    seconds[rest[good]] = part[good]
    valid[rest[good]] = True


def _with_offset(
    texts: pa.Array,
    lengths: npt.NDArray[np.int32],
    formats: Sequence[str],
    seconds: Seconds,
    valid: Mask,
    absolute: Mask,
) -> None:
    """Texts that end in ``Z``, ``UTC`` or an offset."""
    rest = np.flatnonzero(~valid & (lengths > 0))
    some = texts.take(pa.array(rest))
    if len(rest) == 0 or not pc.any(pc.match_substring_regex(some, _OFFSET)).as_py():
        return
    found = pc.extract_regex(some, _OFFSET)
    rest = rest[np.asarray(pc.is_valid(found))]
    found = found.drop_null()
    local = parse(pc.utf8_trim_whitespace(found.field("stamp")), formats)
    shifts = found.field("offset").dictionary_encode()
    shift = np.array([_shift(t) for t in shifts.dictionary.to_pylist()], np.int64)
    rest, good = rest[local.valid], local.valid
    seconds[rest] = local.seconds[good] - shift[np.asarray(shifts.indices)][good]
    valid[rest] = True
    absolute[rest] = True


def _shift(offset: str) -> int:
    if offset[0] not in "+-":
        return 0
    digits = offset[1:].replace(":", "")
    return (-1 if offset[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60)


def _array_wise(
    texts: pa.Array, lengths: npt.NDArray[np.int32], pattern: str, seconds: Seconds, valid: Mask
) -> None:
    tokens = _tokens(pattern)
    if tokens is None:
        return
    for length in np.unique(lengths[~valid]):
        layout = _layout(tokens, int(length))
        if layout is None:
            continue
        rows = np.flatnonzero(~valid & (lengths == length))
        part = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
        matrix = _matrix(part, int(length))
        if matrix is None:
            continue
        found, good = _read(matrix, layout)
        seconds[rows[good]] = found[good]
        valid[rows[good]] = True


def _tokens(pattern: str) -> list[tuple[str, str]] | None:
    """(``"field"``, letter) and (``"text"``, character) pairs; None for a format that has no fixed width."""
    tokens: list[tuple[str, str]] = []
    i = 0
    while i < len(pattern):
        if pattern[i] == "%":
            letter = pattern[i + 1]
            if letter not in _WIDTH and not (letter == "f" and i + 2 == len(pattern)):
                return None
            tokens.append(("field", letter))
            i += 2
        else:
            tokens.append(("text", pattern[i]))
            i += 1
    return tokens


def _layout(tokens: list[tuple[str, str]], length: int) -> list[tuple[str, str, int, int]] | None:
    """Tokens with their start and width in a text of that length; None where they can't fill it."""
    fixed = sum(_WIDTH.get(v, 0) if kind == "field" else 1 for kind, v in tokens)
    fraction = length - fixed
    last = tokens[-1] == ("field", "f")
    if (fraction != 0 and not last) or (last and not 1 <= fraction <= 9):
        return None
    layout, at = [], 0
    for kind, value in tokens:
        width = 1 if kind == "text" else _WIDTH.get(value, fraction)
        layout.append((kind, value, at, width))
        at += width
    return layout


def _matrix(texts: pa.Array, length: int) -> npt.NDArray[np.uint8] | None:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if int(offsets[-1]) - int(offsets[0]) != length * len(texts):
        return None
    data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return data.reshape(len(texts), length)


def _read(matrix: npt.NDArray[np.uint8], layout: list[tuple[str, str, int, int]]) -> tuple[Seconds, Mask]:
    count = len(matrix)
    good = np.ones(count, np.bool_)
    part = {"Y": np.full(count, 1970, np.int64), "m": np.ones(count, np.int64), "d": np.ones(count, np.int64)}
    for kind, value, start, width in layout:
        cells = matrix[:, start : start + width]
        if kind == "text":
            good &= cells[:, 0] == ord(value)
        elif value == "b":
            part["m"], known = _month_words(cells)
            good &= known
        else:
            digits = cells.astype(np.int64) - 48
            good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
            if value != "f":
                part[value] = digits @ (10 ** np.arange(width - 1, -1, -1))
    if "y" in part:
        part["Y"] = part["y"] + np.where(part["y"] < 69, 2000, 1900)
    zero = np.zeros(count, np.int64)
    hour, minute, second = part.get("H", zero), part.get("M", zero), part.get("S", zero)
    year, month, day = part["Y"], part["m"], part["d"]
    midnight_after = (hour == 24) & (minute == 0) & (second == 0)
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= ((hour <= 23) | midnight_after) & (minute <= 59) & (second <= 59)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    good &= day <= following - first
    return (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second, good


def _month_words(cells: npt.NDArray[np.uint8]) -> tuple[Seconds, Mask]:
    words = np.ascontiguousarray(cells).view("S3").ravel()
    names, where = np.unique(words, return_inverse=True)
    numbers = np.array([_MONTHS.get(n.decode("ascii", "replace").lower(), 0) for n in names], np.int64)
    found = numbers[where]
    return np.maximum(found, 1), found > 0


def _one(text: str, formats: Sequence[str]) -> tuple[int, bool] | None:
    for pattern in formats:
        for candidate in (text, _english(text)) if "%b" in pattern or "%B" in pattern else (text,):
            try:
                stamp = datetime.strptime(candidate, pattern)  # noqa: DTZ007 - wall clock
            except ValueError:
                continue
            if stamp.tzinfo is not None:
                return int(stamp.timestamp()), True
            return int(stamp.replace(tzinfo=UTC).timestamp()), False
    return None


def _english(text: str) -> str:
    """Portuguese month abbreviations as the English ones that `strptime` knows."""

    def word(hit: re.Match[str]) -> str:
        number = _MONTHS.get(hit[0][:3].lower())
        return datetime(2000, number, 1, tzinfo=UTC).strftime("%b") if number else hit[0]

    return _MONTH_WORD.sub(word, text)
