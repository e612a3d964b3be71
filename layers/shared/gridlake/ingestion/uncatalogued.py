"""Files that no contract fits: profiled, kept with an inferred schema, and given a drafted contract."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from gridlake.contracts.draft import draft, to_yaml
from gridlake.contracts.model import Column, Contract, Kind, TimeSpec
from gridlake.contracts.odcs import parse
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.profiling import profile_file
from gridlake.ingestion.report import ProcessReport, SourceRef

UNCATALOGUED = "uncatalogued"


def process_uncatalogued(
    path: Path, *, facts: FileFacts, source: SourceRef, out: Path, limits: Limits
) -> ProcessReport:
    """Keep the rows of an unknown file as ``silver/uncatalogued/{source_id}/data.parquet``.

    Beside it stand ``profile.json`` and ``draft.yaml``, a contract that the same file would load under. Rows are read
    under that draft, but none is refused for what the draft only guesses: keys, ranges and codes.
    """
    from gridlake.ingestion.pipeline import Run

    profile = profile_file(path, facts, limits=limits)
    document = draft(profile, filename=facts.filename)
    folder = out / "silver" / UNCATALOGUED / source.source_id
    report = ProcessReport(dataset=UNCATALOGUED, contract_version="0", kind="uncatalogued")
    report.profile, report.draft = profile.as_dict(), document
    guessed = _as_it_is(parse(document))
    Run(
        path,
        facts,
        guessed,
        source,
        out,
        limits,
        report=report,
        place=lambda _: folder / "data.parquet",
        unpartitioned=True,
    ).process()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.json").write_text(
        json.dumps(report.profile, ensure_ascii=False, indent=1, default=str)
    )
    (folder / "draft.yaml").write_text(to_yaml(document))
    report.notices.append(
        "no contract fits this file: its rows are kept uncatalogued, and a contract is drafted"
    )
    return report


def _as_it_is(contract: Contract) -> Contract:
    """The contract without what would refuse rows: only a wrong shape, number or time still does."""
    columns = tuple(_lenient(c) for c in contract.columns)
    time: TimeSpec | None = contract.time
    return replace(
        contract, columns=columns, rules=(), time=time, kind=Kind.SERIES if time else Kind.REFERENCE
    )


def _lenient(column: Column) -> Column:
    return replace(column, required=False, closed=False, optional=True)
