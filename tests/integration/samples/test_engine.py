"""The ingestion engine on every generated file gives exactly what the generator says it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlake.contracts.registry import Registry
from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.pipeline import SourceRef, process_file
from gridlake.platform.errors import PermanentError
from gridlake_samples import generate


@pytest.mark.parametrize("which", ["formats", "defects"])
def test_every_generated_file_gives_its_known_answer(tmp_path: Path, which: str) -> None:
    contracts = Registry.builtin().all()
    wrong = {}
    for number, sample in enumerate(generate(which, tmp_path / "files")):
        source = SourceRef(source_id="s", uri="file", ingestion_id="ing-1", sequence=1)
        expected: object = (sample.dataset or "uncatalogued", sample.rows_in, dict(sample.quarantined))
        try:
            facts = sniff(sample.path, filename=sample.path.name)
            contract = match(facts, contracts).contract
            out = tmp_path / str(number)
            out.mkdir()
            report = process_file(sample.path, facts=facts, contract=contract, source=source, out=out)
            given: object = (report.dataset, report.rows_in, dict(report.quarantine))
            assert report.rows_in == report.rows_loaded + report.rows_quarantined
        except PermanentError as error:
            given = error.error_code
        if given != (sample.error or expected):
            wrong[sample.path.name] = (given, sample.error or expected)
    assert not wrong
