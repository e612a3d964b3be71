"""What became of a file: the report that the ledger keeps and the user reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from gridlake.platform.errors import QualityError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Where the rows come from.

    `sequence` orders uploads (milliseconds since 1970 of the upload): where two sources of a dataset hold the same
    key, the higher one wins.
    """

    source_id: str
    uri: str
    ingestion_id: str
    sequence: int


@dataclass(slots=True, kw_only=True)
class ProcessReport:
    """Counts, places and times of one processed file; ``rows_in == rows_loaded + rows_quarantined`` always.

    Attributes
    ----------
    quarantine
        Rows by reason.
    warnings
        ``{"rule", "count", "message"}`` each: rows that were loaded although they break a rule of severity warning.
    partitions
        ``{"path", "year", "month", "rows", "min_time", "max_time"}`` each; the path is relative to the lake.
    min_time, max_time
        First and last stamp loaded, ISO 8601 UTC.
    series
        Distinct tag sets loaded.
    draft
        Drafted contract (an ODCS document) of an uncatalogued file.
    """

    dataset: str
    contract_version: str
    kind: Literal["series", "reference", "uncatalogued"]
    rows_in: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    quarantine: dict[str, int] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    partitions: list[dict[str, Any]] = field(default_factory=list)
    quarantine_path: str | None = None
    series: int = 0
    min_time: str | None = None
    max_time: str | None = None
    bytes_read: int = 0
    seconds: float = 0.0
    profile: dict[str, Any] | None = None
    draft: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ProcessReport:
        """Inverse of `as_dict`, also after a trip through JSON."""
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in value.items() if k in known})


class FileRejectedError(QualityError):
    """The file could be read, but none of it is loaded; `report` has its counts.

    Codes: ``no_rows``, ``all_rows_quarantined``, ``quality_threshold_exceeded``, ``row_count``, ``too_many_series``.
    """

    def __init__(self, message: str, *, code: str, report: ProcessReport, hint: str | None = None) -> None:
        super().__init__(
            message,
            code=code,
            hint=hint,
            rows_in=report.rows_in,
            rows_loaded=report.rows_loaded,
            rows_quarantined=report.rows_quarantined,
            quarantine=dict(report.quarantine),
        )
        self.report = report
