"""Quarantined rows, written as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.ingestion.readers.chunk import Rejected

SCHEMA = pa.schema(
    [
        ("reason", pa.string()),
        ("rule", pa.string()),
        ("source_row", pa.int64()),
        ("message", pa.string()),
        ("raw", pa.string()),
    ]
)
_BATCH = 20_000


class QuarantineWriter:
    """Writes ``reason, rule, source_row, message, raw``; the file exists only where a row was quarantined."""

    def __init__(self, path: Path, metadata: dict[str, str]) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._schema = SCHEMA.with_metadata(metadata)
        self._rows: list[Rejected] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Iterable[Rejected]) -> None:
        """Quarantine rows."""
        for row in rows:
            self.counts[row.reason] += 1
            self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.path, self._schema, compression="zstd")
        columns = list(zip(*self._rows, strict=True))
        reason, rule, line, message, raw = columns
        text = [reason, rule, message, raw]
        arrays = [pa.array([s.encode("utf-8", "replace").decode() for s in c], pa.string()) for c in text]
        self._writer.write_table(
            pa.Table.from_arrays(
                [arrays[0], arrays[1], pa.array(line, pa.int64()), arrays[2], arrays[3]], schema=self._schema
            )
        )
        self._rows.clear()
