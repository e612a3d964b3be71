"""A file is recognised by its header, then by its name, then by the distance between its stamps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridlake.contracts.model import Contract
from gridlake.ingestion.detect import Match, match, sniff
from tests.unit.ingestion_engine import HEADER, load_contract

HOURLY = load_contract()
assert HOURLY.time is not None
DAILY = replace(
    HOURLY, dataset="test_load_daily", file_patterns=("DIARIA_*",), time=replace(HOURLY.time, interval="P1D")
)
CONTRACTS: tuple[Contract, ...] = (HOURLY, DAILY)


def found(text: str, filename: str, folder: Path) -> Match:
    (folder / "in").write_text(text)
    return match(sniff(folder / "in", filename=filename), CONTRACTS)


@pytest.mark.parametrize(
    ("filename", "dataset"),
    [
        ("CARGA_2018.csv", "test_load"),
        ("carga_2018 (1).csv", "test_load"),
        ("CARGA_2018 - Copia.csv", "test_load"),
        ("DIARIA_2018.csv.gz", "test_load_daily"),
    ],
)
def test_the_name_decides_between_equal_headers(filename: str, dataset: str, tmp_path: Path) -> None:
    result = found(HEADER + "N;x;2020-01-01 00:00:00;1\n", filename, tmp_path)
    assert result.contract is not None
    assert result.contract.dataset == dataset


@pytest.mark.parametrize(("step", "dataset"), [("00:00:00 01:00:00", "test_load"), ("", "test_load_daily")])
def test_the_cadence_decides_where_the_name_does_not(step: str, dataset: str, tmp_path: Path) -> None:
    stamps = [f"2020-01-01 {t}" for t in step.split()] or [f"2020-01-0{d} 00:00:00" for d in range(1, 5)]
    rows = "".join(f"{code};x;{stamp};1\n" for stamp in stamps for code in ("N", "SE"))
    result = found(HEADER + rows, "download.csv", tmp_path)
    assert result.contract is not None
    assert result.contract.dataset == dataset


def test_a_foreign_table_has_no_contract(tmp_path: Path) -> None:
    result = found("date,temperature\n2020-01-01,3\n", "weather.csv", tmp_path)
    assert result.contract is None
    assert result.reasons
