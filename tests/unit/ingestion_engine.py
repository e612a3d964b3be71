"""A small contract and one call that takes bytes through the whole engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Member, Role, Rule, TimeSpec
from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.pipeline import process_file
from gridlake.ingestion.report import FileRejectedError, ProcessReport, SourceRef

HEADER = "id_subsistema;nom_subsistema;din_instante;val_carga\n"
SOURCE = SourceRef(source_id="0123456789abcdef", uri="s3://raw/x.csv", ingestion_id="ing-1", sequence=1)


def load_contract(**changes: Any) -> Contract:
    """Hourly load by subsystem in Brasília time."""
    contract = Contract(
        dataset="test_load",
        version="1.0.0",
        publisher="test",
        kind=Kind.SERIES,
        title={"en": "Load"},
        file_patterns=("CARGA_*",),
        time=TimeSpec(
            columns=("din_instante",),
            zone="America/Sao_Paulo",
            interval="PT1H",
            formats=("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%d/%m/%Y %H:%M"),
        ),
        columns=(
            Column(
                name="subsystem",
                role=Role.TAG,
                source="id_subsistema",
                key=True,
                required=True,
                closed=True,
                members=(
                    Member(code="N", spellings=("NORTE",)),
                    Member(code="SE", spellings=("São Paulo e Centro",)),
                ),
            ),
            Column(name="subsystem_name", role=Role.IGNORED, source="nom_subsistema"),
            Column(
                name="load_mw",
                role=Role.FIELD,
                type=ColumnType.NUMBER,
                source="val_carga",
                unit="MW",
                required=True,
                missing=("-", "n/e"),
            ),
        ),
        rules=(
            Rule(id="possible", kind="range", columns=("load_mw",), params={"min": -10, "max": 100_000}),
            Rule(id="unique_key", kind="unique"),
            Rule(id="complete", kind="completeness"),
        ),
    )
    return replace(contract, **changes)


class Result(NamedTuple):
    """What became of a file."""

    report: ProcessReport
    silver: pa.Table | None
    quarantine: list[dict[str, Any]]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """(time, subsystem, load) in order of time and subsystem."""
        if self.silver is None:
            return []
        rows = zip(*(self.silver[n].to_pylist() for n in ("time", "subsystem", "load_mw")), strict=True)
        return sorted((t.strftime("%Y-%m-%dT%H:%MZ"), s, v) for t, s, v in rows)

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(source row, reason), in order of the file."""
        return sorted((q["source_row"], q["reason"]) for q in self.quarantine)


def ingest(
    content: bytes | str, folder: Path, *, contract: Contract | None = None, filename: str = "CARGA_2020.csv"
) -> Result:
    """Sniff, match and process; a file rejected by its rows still gives its report."""
    path = folder / "input"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    facts = sniff(path, filename=filename)
    chosen = match(facts, [contract or load_contract()]).contract
    assert chosen is not None
    out = folder / "out"
    try:
        report = process_file(path, facts=facts, contract=chosen, source=SOURCE, out=out)
    except FileRejectedError as problem:
        report = problem.report
    assert report.rows_in == report.rows_loaded + report.rows_quarantined
    parts = [pq.read_table(out / p["path"], partitioning=None) for p in report.partitions]
    silver = pa.concat_tables(parts).unify_dictionaries() if parts else None
    assert (silver.num_rows if silver else 0) == report.rows_loaded
    quarantine = (
        pq.read_table(out / report.quarantine_path).to_pylist()
        if report.quarantine_path and (out / report.quarantine_path).exists()
        else []
    )
    return Result(report, silver, quarantine)
