"""Printed numbers to float64, for whole columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_SPACED = r"^[+-]?\d{1,3}(?:[ \x{00a0}\x{202f}']\d{3})+(?:[.,]\d*)?$"
_PLAIN = r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = {
    ".": r"^-?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?$",
    ",": r"^-?\d{1,3}(?:\.\d{3})+(?:,\d*)?(?:[eE][+-]?\d+)?$",
}
_FOREIGN = {
    ".": r"^-?(?:\d{1,3}(?:\.\d{3})+,\d+|\d+,(?:\d{1,2}|\d{4,})|(?:\d{4,}|0\d*),\d{3}|\d+,\d+[eE][+-]?\d+)$",
    ",": r"^-?(?:\d{1,3}(?:,\d{3})+\.\d+|\d+\.(?:\d{1,2}|\d{4,})|(?:\d{4,}|0\d*)\.\d{3}|\d+\.\d+[eE][+-]?\d+)$",
}
"""Numbers that, against the rest of the file, can only have the other decimal sign."""
ABSENT = frozenset(
    word
    for plain in ("nan", "na", "n/a", "#n/a", "<na>", "nd", "n/d", "null", "none", "missing", "empty")
    for word in (plain, plain.upper(), plain.capitalize())
) | {"NaN", "-nan", "-", "--", "\u2013", "\u2014"}
"""Words that mean missing wherever a number is expected."""


class Numbers(NamedTuple):
    """float64[n] with NaN where the cell is missing or wrong, and a mask of the wrong ones."""

    values: Floats
    wrong: Mask


def parse(cells: pa.Array, *, decimal: Literal[".", ","], missing: Collection[str] = ()) -> Numbers:
    """Read a column of numbers.

    Parameters
    ----------
    cells
        float64, or text with outer spaces allowed.
    decimal
        Decimal sign; the other one may group thousands, and only in threes.
    missing
        Words that mean missing, beside blank and `ABSENT`.

    Notes
    -----
    A number that can only have the other decimal sign (``12,5`` or ``1.234,5`` among points) is read as it must be.
    Then ``1,234`` of the same column could be either, and is wrong.
    """
    if pa.types.is_floating(cells.type):
        values = np.array(cells.to_numpy(zero_copy_only=False), np.float64)
        wrong = np.isinf(values)
        if wrong.any():
            values[wrong] = np.nan
        return Numbers(values, wrong)
    if pa.types.is_dictionary(cells.type):
        cells = pc.cast(cells, pa.string())
    text = pc.utf8_trim_whitespace(cells)
    absent = pc.fill_null(pc.is_in(text, value_set=pa.array(["", *ABSENT, *missing], pa.string())), True)
    absent = pc.or_(absent, pc.is_null(text))
    text = pc.if_else(absent, pa.scalar(None, pa.string()), text)
    text = pc.replace_substring_regex(text, r"^\+", "")
    text = pc.replace_substring_regex(text, "^\u2212", "-")
    direct = text if decimal == "." else None
    if direct is not None:
        try:
            return _finite(pc.cast(direct, pa.float64()), np.zeros(len(text), np.bool_))
        except pa.ArrowInvalid:
            pass
    spaced = pc.match_substring_regex(text, _SPACED)
    text = pc.if_else(spaced, pc.replace_substring_regex(text, r"[ \x{00a0}\x{202f}']", ""), text)
    other = "," if decimal == "." else "."
    foreign = pc.match_substring_regex(text, _FOREIGN[decimal])
    grouped = pc.match_substring_regex(text, _GROUPED[decimal])
    if pc.any(foreign).as_py():
        grouped = pc.and_(grouped, pc.match_substring(text, decimal))
    text = pc.if_else(grouped, pc.replace_substring(text, other, ""), text)
    text = pc.if_else(foreign, pc.replace_substring(text, decimal, ""), text)
    if decimal == ",":
        # What still has a point is no number of this file: the comma is its decimal sign.
        pointed = pc.and_not(pc.match_substring(text, "."), foreign)
        text = pc.if_else(pointed, "?", pc.replace_substring(text, ",", "."))
    else:
        text = pc.if_else(foreign, pc.replace_substring(text, ",", "."), text)
    plain = pc.match_substring_regex(text, _PLAIN)
    wrong = np.array(pc.fill_null(pc.invert(plain), False))
    return _finite(pc.cast(pc.if_else(plain, text, pa.scalar(None, pa.string())), pa.float64()), wrong)


def _finite(numbers: pa.Array, wrong: Mask) -> Numbers:
    values = np.array(numbers.to_numpy(zero_copy_only=False), np.float64)
    odd = ~np.isfinite(values)
    if odd.any():
        wrong = wrong | (odd & np.asarray(pc.is_valid(numbers)))
        values[odd] = np.nan
    return Numbers(values, wrong)
