"""Rows on their way from a file, before they mean anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Lines = npt.NDArray[np.int64]


class Rejected(NamedTuple):
    """A row that goes to quarantine."""

    reason: str
    rule: str
    line: int
    message: str
    raw: str


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Some consecutive rows of a file.

    Attributes
    ----------
    columns
        By position in the header: text (``string`` or ``dictionary<string>``), or ``float64`` where the reader could
        convert the whole column of the chunk. Missing cells are null or blank text.
    lines
        int64[rows], the physical line (sheet row, record number) of each row, from 1.
    raw
        Gives the source text of some of the rows, by their position in the chunk.
    rejected
        Rows that never made it into columns.
    """

    columns: Mapping[int, pa.Array]
    lines: Lines
    raw: Callable[[Sequence[int]], list[str]]
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows in `columns`."""
        return len(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the contract wants of a file's columns, by position in the header.

    Attributes
    ----------
    numbers
        Columns of numbers, with the words that mean missing beside blank.
    texts
        Columns that repeat few values (stamps, codes): dictionary-encoded.
    free
        Columns of free text.
    merge_surplus
        Column into which the surplus fields of a row are joined.
    """

    numbers: Mapping[int, frozenset[str]]
    texts: frozenset[int]
    free: frozenset[int] = frozenset()
    merge_surplus: int | None = None

    @property
    def positions(self) -> list[int]:
        """All positions, in file order."""
        return sorted({*self.numbers, *self.texts, *self.free})
