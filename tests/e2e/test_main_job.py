"""Files in, time series out: what a new user does first."""

from __future__ import annotations

from pathlib import Path

import pytest

from .builders import hourly_load
from .conftest import Stack

WINDOW = ("--start", "2024-03-01", "--end", "2024-03-02")


def test_a_file_becomes_a_series_that_the_api_answers(stack: Stack, tmp_path: Path) -> None:
    (report,) = stack.ingest(hourly_load(tmp_path / "CURVA_CARGA_2024.csv"))
    assert report["status"] == "loaded"
    assert report["dataset"] == "ons_load_hourly"
    assert (report["rows_in"], report["rows_loaded"], report["points_written"]) == (96, 96, 96)

    answer = stack.query(
        "ons_load_hourly", "--measure", "load_mw", *WINDOW, "--window", "1d", "--aggregate", "mean"
    )
    by_subsystem = {row[1]: row[2] for row in answer["rows"]}
    assert by_subsystem == pytest.approx({"N": 1011.5, "NE": 1111.5, "S": 1211.5, "SE": 1311.5})
    assert answer["unit"] == {"load_mw": "MW"}
    assert "SELECT" in answer["query"]["text"].upper()


def test_members_are_added_before_time_is_averaged(stack: Stack, tmp_path: Path) -> None:
    stack.ingest(hourly_load(tmp_path / "CURVA_CARGA_2024.csv"))
    with stack.api() as api:
        answer = api.post(
            "/timeseries/query",
            json={
                "dataset": "ons_load_hourly",
                "measures": ["load_mw"],
                "start": "2024-03-01",
                "end": "2024-03-02",
                "window": "1d",
                "aggregate": "mean",
                "group_by": [],
                "units": {"load_mw": "GW"},
            },
        ).json()
    assert answer["rows"][0][-1] == pytest.approx((1011.5 + 1111.5 + 1211.5 + 1311.5) / 1000)


def test_the_same_file_twice_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    file = hourly_load(tmp_path / "CURVA_CARGA_2030.csv", start="2030-01-01")
    stack.ingest(file)
    (again,) = stack.ingest(file)
    assert (again["status"], again["rows_loaded"]) == ("loaded", 96)
    assert stack.gridlake("verify", "ons_load_hourly", "--json").code == 0


def test_a_revised_file_replaces_exactly_its_own_rows(stack: Stack, tmp_path: Path) -> None:
    neighbour = hourly_load(tmp_path / "CURVA_CARGA_2031.csv", start="2031-01-02")
    first = hourly_load(tmp_path / "a" / "CURVA_CARGA_2031_A.csv", start="2031-01-01")
    stack.ingest(neighbour, first)
    revised = hourly_load(
        tmp_path / "b" / "CURVA_CARGA_2031_A.csv",
        start="2031-01-01",
        replace={("N", 0): "5.0"},
        drop=[("S", 23), ("SE", 5)],
    )
    (report,) = stack.ingest(revised)
    assert report["rows_loaded"] == 94

    def count(start: str, end: str) -> dict[str, int]:
        rows = stack.query(
            "ons_load_hourly", "--measure", "load_mw", "--start", start, "--end", end,
            "--window", "1d", "--aggregate", "count",
        )["rows"]  # fmt: skip
        return {row[1]: row[2] for row in rows}

    assert count("2031-01-01", "2031-01-02") == {"N": 24, "NE": 24, "S": 23, "SE": 23}
    assert count("2031-01-02", "2031-01-03") == {"N": 24, "NE": 24, "S": 24, "SE": 24}
    raw = stack.query(
        "ons_load_hourly", "--measure", "load_mw", "--filter", "subsystem=N",
        "--start", "2031-01-01", "--end", "2031-01-01T01:00:00",
    )  # fmt: skip
    assert raw["rows"][0][-1] == 5.0
    assert stack.gridlake("verify", "ons_load_hourly", "--json").code == 0


def test_any_table_with_a_time_column_becomes_a_series(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "transformer.csv"
    file.write_text(
        "date,HUFL,OT\n" + "".join(f"2017-03-01 {hour:02}:00:00,{hour}.5,{30 - hour}\n" for hour in range(24))
    )
    (unknown,) = stack.ingest(file)
    assert (unknown["status"], unknown["rows_loaded"]) == ("uncatalogued", 24)

    accepted = stack.gridlake("ingest", file, "--accept-draft", "--json")
    assert accepted.code == 0, accepted.stderr
    (report,) = accepted.json
    assert (report["status"], report["rows_loaded"], report["points_written"]) == ("loaded", 24, 24)
    answer = stack.query(
        report["dataset"], "--measure", "HUFL", "--start", "2017-03-01", "--end", "2017-03-02",
        "--window", "1d", "--aggregate", "max",
    )  # fmt: skip
    assert answer["rows"][0][-1] == 23.5


def test_files_of_the_reference_data_load_as_expected(stack: Stack, reference_data: Path) -> None:
    import json

    expected = json.loads((reference_data / "expected.json").read_text())
    files = [name for name in expected if name.endswith((".csv", ".xlsx"))]
    reports = stack.ingest(*(reference_data / name for name in files), timeout=600)
    wrong = {
        report["file"]: (report["rows_in"], expected[name]["expected"]["rows_in"])
        for name, report in zip(files, reports, strict=True)
        if report["rows_in"] != expected[name]["expected"]["rows_in"]
    }
    assert not wrong
    assert stack.gridlake("verify", "--json", timeout=600).code == 0
