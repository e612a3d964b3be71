"""Bytes of a made-up file through recognition by the real contracts and the whole engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.contracts.model import Contract
from gridlake.contracts.registry import Registry
from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.facts import FileFacts
from gridlake.ingestion.matching import Match
from gridlake.ingestion.pipeline import process_file
from gridlake.ingestion.report import FileRejectedError, ProcessReport, SourceRef

SOURCE = SourceRef(source_id="0123456789abcdef", uri="s3://raw/x", ingestion_id="ing-1", sequence=1)
CONTRACTS = Registry.builtin().all()


class Result(NamedTuple):
    """What became of a file."""

    report: ProcessReport
    silver: pa.Table | None
    quarantine: list[dict[str, Any]]
    facts: FileFacts
    match: Match

    def values(self, *columns: str) -> list[tuple[Any, ...]]:
        """Silver rows, sorted; times as ISO text."""
        if self.silver is None:
            return []
        rows = zip(*(self.silver[c].to_pylist() for c in columns), strict=True)
        return sorted(tuple(v.isoformat() if hasattr(v, "isoformat") else v for v in row) for row in rows)

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(source row, reason), in order of the file."""
        return sorted((q["source_row"], q["reason"]) for q in self.quarantine)


def ingest(
    content: bytes | str, folder: Path, filename: str, contracts: Iterable[Contract] = CONTRACTS
) -> Result:
    """Sniff, match and process; a file rejected by its rows still gives its report."""
    path = folder / "input"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    facts = sniff(path, filename=filename)
    found = match(facts, contracts)
    out = folder / "out"
    try:
        report = process_file(path, facts=facts, contract=found.contract, source=SOURCE, out=out)
    except FileRejectedError as problem:
        report = problem.report
    assert report.rows_in == report.rows_loaded + report.rows_quarantined
    parts = [pq.read_table(out / p["path"], partitioning=None) for p in report.partitions]
    silver = pa.concat_tables(parts).unify_dictionaries() if parts else None
    assert (silver.num_rows if silver else 0) == report.rows_loaded
    kept = out / report.quarantine_path if report.quarantine_path else None
    quarantine = pq.read_table(kept).to_pylist() if kept is not None and kept.exists() else []
    return Result(report, silver, quarantine, facts, found)
