"""What is known of a file before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Format = Literal["csv", "xlsx", "xls", "ods", "parquet"]
Compression = Literal["gzip", "zip"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep a hostile or broken file from taking the machine with it."""

    max_uncompressed: int = 20 * 1024 * MIB
    """Bytes a compressed file may grow to."""
    max_ratio: float = 250.0
    """Growth above which a compressed file is a bomb, judged once it has grown to `ratio_floor` bytes."""
    ratio_floor: int = 16 * MIB
    max_workbook: int = 512 * MIB
    """Uncompressed bytes of a workbook: its sheets are held in memory."""
    check_compressed: int = 32 * MIB
    """A compressed file up to this size is decompressed to its end while sniffing, so that truncation shows early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """How a file is to be read, found from its content.

    Attributes
    ----------
    header
        Names of the columns as printed, outer spaces removed, in file order; unnamed ones are ``""``.
    header_line, data_line
        Physical line (from 1) on which the header starts and the first after it. In a workbook: sheet rows.
    decimal
        Decimal sign of the numbers printed as text.
    size, uncompressed_size
        Bytes; the latter is None where only reading to the end would tell.
    member
        Name of the one file in a zip.
    sheets
        Sheets of a workbook that have this header, in order.
    sample
        Up to 200 rows after the header, as text: to tell cadences apart, never to load.
    """

    filename: str
    format: Format
    size: int
    header: tuple[str, ...]
    header_line: int = 1
    data_line: int = 2
    compression: Compression | None = None
    member: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    decimal: Literal[".", ","] = "."
    uncompressed_size: int | None = None
    sheets: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    sample: tuple[tuple[str, ...], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON form, for the output of a stage."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> FileFacts:
        """Inverse of `as_dict`, also after a trip through JSON."""
        known = {f.name for f in fields(cls)}
        data = {k: v for k, v in value.items() if k in known}
        for name in ("header", "sheets", "notices"):
            data[name] = tuple(data.get(name) or ())
        data["sample"] = tuple(tuple(row) for row in data.get("sample") or ())
        return cls(**data)
