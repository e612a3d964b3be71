"""What reading an unknown file found out about it: the material of a drafted contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

ProfileType = Literal["number", "time", "text", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column of the file."""

    name: str
    """As printed in the header."""
    type: ProfileType
    nulls: int = 0
    """Rows without a value."""
    distinct: int = 0
    """Different values; may be bounded from above by the reader."""
    minimum: str | float | None = None
    """Smallest value; a time as ISO 8601 text, naive unless the file prints an offset."""
    maximum: str | float | None = None
    examples: tuple[str, ...] = ()
    """A few values as printed."""
    time_format: str | None = None
    """strptime format all values of a time column follow; None for true datetime cells."""
    step_seconds: float | None = None
    """Most frequent distance between consecutive distinct instants of a time column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """One table of the file."""

    columns: tuple[ColumnProfile, ...] = ()
    rows: int = 0
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    key: tuple[str, ...] = ()
    """Columns that, with the time, tell the rows apart as far as any do."""
    repeats: bool = False
    """Whether rows of equal time and `key` differ in their other values."""
    hour: str | None = None
    """Column with the time of day, where the time column has days only."""
    hour_format: str | None = None
    """strptime format of `hour`."""
    hour_step: float | None = None
    """Distance between times of day, in seconds."""
    hour_ends: bool = False
    """Whether `hour` counts from 1 to 24, which is the end of each hour."""
    notes: tuple[str, ...] = field(default=())
    """What else a reader of the draft should know."""

    def as_dict(self) -> dict[str, Any]:
        """The profile as JSON-ready mappings and lists."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableProfile:
        """The profile `as_dict` wrote."""
        columns = tuple(
            ColumnProfile(**{**column, "examples": tuple(column.get("examples", ()))})
            for column in data.get("columns", ())
        )
        return cls(
            **{
                **data,
                "columns": columns,
                "key": tuple(data.get("key", ())),
                "notes": tuple(data.get("notes", ())),
            }
        )
