"""Rows in no order of time: every month gets its file, with few files open at once."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridlake.ingestion import silver_writer
from tests.unit.ingestion_engine import HEADER, ingest


def test_shuffled_rows_of_many_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silver_writer, "_BUFFER_BYTES", 50_000)
    monkeypatch.setattr(silver_writer, "_OPEN_FILES", 4)
    monkeypatch.setattr("gridlake.ingestion.readers.delimited.BLOCK", 20_000)
    days = [datetime(2000, 1, 1, 12) + timedelta(days=i) for i in range(3650)]
    rows = [f"N;x;{day};{i}\n" for i, day in enumerate(days)]
    rows += rows[:50]
    random.Random(3).shuffle(rows)
    result = ingest(HEADER + "".join(rows), tmp_path)
    assert result.report.quarantine == {"duplicate_identical": 50}
    assert len(result.report.partitions) == 120
    assert sum(v for _, _, v in result.rows) == sum(range(3650))
    assert not list((tmp_path / "out").glob(".work*"))
