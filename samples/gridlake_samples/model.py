"""What a generated file is, and what it must give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """One synthetic file and its right answer."""

    path: Path
    dataset: str | None
    """Dataset that its contract names; None for a table without contract or a file that can't be read."""
    rows_in: int
    """Rows after the header, good or bad."""
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """Rows to be quarantined, by reason."""
    sums: Mapping[str, float] = field(default_factory=dict)
    """Sum over the loaded rows, by silver column, in the unit of the column."""
    status: str = ""
    """How its ingestion must end; derived from the counts when not given."""
    error: str | None = None
    """Code of the error for a file that must fail."""
    about: str = ""

    def __post_init__(self) -> None:
        """Derive the status."""
        if not self.status:
            object.__setattr__(self, "status", "partial" if self.quarantined else "loaded")

    @property
    def rows_loaded(self) -> int:
        """Rows that must reach the lake."""
        return self.rows_in - sum(self.quarantined.values()) if self.status != "failed" else 0

    def as_dict(self, folder: Path) -> dict[str, Any]:
        """The entry of the manifest, its path relative to the folder."""
        return {
            "file": self.path.relative_to(folder).as_posix(),
            "dataset": self.dataset,
            "status": self.status,
            "rows_in": self.rows_in,
            "rows_loaded": self.rows_loaded,
            "quarantined": dict(self.quarantined),
            "sums": dict(self.sums),
            "error": self.error,
            "about": self.about,
        }
