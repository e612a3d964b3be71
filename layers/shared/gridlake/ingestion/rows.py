"""Rows that have a meaning: instants, canonical codes, values in units, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gridlake.ingestion.readers.chunk import Lines, Rejected
from gridlake.ingestion.zones import Mask, Seconds

Codes = npt.NDArray[np.int32]
Message = Callable[[int], str]


@dataclass(slots=True)
class Fault:
    """Why some rows of a chunk go to quarantine."""

    reason: str
    rule: str
    message: Message


@dataclass(slots=True, kw_only=True)
class Rows:
    """Standardised rows of one chunk, the faulty ones still among them.

    Attributes
    ----------
    time, late
        int64, seconds since 1970 UTC; `late` is the second reading of an `ambiguous` local hour. None in a register.
    tags
        By silver name: int32 codes (-1 is null) and the texts they stand for.
    fields
        By silver name: float64, NaN is null, in the contract's unit.
    attributes
        By silver name, in the contract's type.
    fault
        int16, 0 for a sound row, else 1 + index into `faults`; the first fault found counts.
    warned
        Rows by id of the warning rules they break.
    """

    lines: Lines
    raw: Callable[[Sequence[int]], list[str]]
    time: Seconds | None = None
    late: Seconds | None = None
    ambiguous: Mask | None = None
    tags: dict[str, tuple[Codes, list[str]]] = field(default_factory=dict)
    fields: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    attributes: dict[str, pa.Array] = field(default_factory=dict)
    fault: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    faults: list[Fault] = field(default_factory=list)
    warned: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Rows, faulty ones included."""
        return len(self.lines)

    def fail(self, mask: Mask, reason: str, rule: str, message: Message) -> None:
        """Mark rows for quarantine, unless they are marked already."""
        fresh = mask & (self.fault == 0)
        if fresh.any():
            self.faults.append(Fault(reason, rule, message))
            self.fault[fresh] = len(self.faults)

    def quarantined(self) -> list[Rejected]:
        """The rows to quarantine, with message and source text, beside those that the reader set aside."""
        rows = np.flatnonzero(self.fault).tolist()
        if not rows:
            return self.rejected
        found = []
        for row, raw in zip(rows, self.raw(rows), strict=True):
            fault = self.faults[self.fault[row] - 1]
            found.append(Rejected(fault.reason, fault.rule, int(self.lines[row]), fault.message(row), raw))
        return self.rejected + found
