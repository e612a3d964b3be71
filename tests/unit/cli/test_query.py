"""query, verify, datasets, contracts, samples: what is sent and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridlake_cli.output import sparkline

from .stub import Stub

Run = Callable[..., Any]
ANSWER = {
    "dataset": "ons_load_hourly",
    "columns": [
        {"name": "time", "type": "time", "unit": None},
        {"name": "subsystem", "type": "string", "unit": None},
        {"name": "load_mw", "type": "number", "unit": "GW"},
    ],
    "rows": [["2024-01-01T00:00:00-03:00", "N", 7.25], ["2024-01-02T00:00:00-03:00", "N", None],
             ["2024-01-03T00:00:00-03:00", "N", 7.5]],
    "row_count": 3, "truncated": False, "unit": {"load_mw": "GW"}, "zone": "America/Sao_Paulo", "notices": [],
    "query": {"dialect": "influxql", "text": "SELECT mean(load_mw) FROM ons_load_hourly"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def answer(stub: Stub) -> None:
    stub.query = ANSWER


def test_options_become_the_request(gridlake: Run, stub: Stub) -> None:
    ran = gridlake(
        "query", "ons_load_hourly", "--measure", "load_mw", "--filter", "subsystem=N", "--filter", "subsystem=SE",
        "--start", "2024-01-01", "--end", "2024-02-01", "--window", "1d", "--aggregate", "mean",
        "--group-by", "subsystem", "--order", "desc", "--limit", "5", "--unit", "GW", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json == ANSWER
    assert stub.received("POST", "/timeseries/query") == [
        {
            "dataset": "ons_load_hourly", "measures": ["load_mw"], "filters": {"subsystem": ["N", "SE"]},
            "start": "2024-01-01", "end": "2024-02-01", "window": "1d", "aggregate": "mean",
            "group_by": ["subsystem"], "order": "desc", "limit": 5, "units": {"load_mw": "GW"},
        }
    ]  # fmt: skip


def test_group_by_none_merges_and_absent_range_is_what_is_loaded(gridlake: Run, stub: Stub) -> None:
    gridlake("query", "ons_load_hourly", "--group-by", "none", "--unit", "GW")
    (body,) = stub.received("POST", "/timeseries/query")
    assert body["group_by"] == []
    assert (body["start"], body["end"]) == ("2024-01-01T00:00:00-03:00", "2025-01-01T23:00:00-03:00")
    assert body["units"] == {"load_mw": "GW"}


def test_table_shows_units_local_time_and_the_rendered_query(gridlake: Run) -> None:
    ran = gridlake("query", "ons_load_hourly")
    assert "load_mw (GW)" in ran.out
    assert "2024-01-01 00:00-0300" in ran.out
    assert "SELECT mean" in ran.err


def test_csv(gridlake: Run) -> None:
    ran = gridlake("query", "ons_load_hourly", "--csv")
    assert ran.out.splitlines()[:2] == ["time,subsystem,load_mw", "2024-01-01T00:00:00-03:00,N,7.25"]


def test_plot_is_a_png(gridlake: Run, tmp_path: Path) -> None:
    picture = tmp_path / "new" / "load.png"
    ran = gridlake("query", "ons_load_hourly", "--plot", picture, "--json")
    assert ran.code == 0, ran.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert ran.json == ANSWER
    assert gridlake("query", "ons_load_hourly", "--plot", tmp_path / "load.xyz").code == 2


@pytest.mark.parametrize(
    "wrong", [("--filter", "subsystem"), ("--json", "--csv"), ("--limit", "0"), ("--order", "up")]
)
def test_wrong_options_are_exit_code_2(gridlake: Run, wrong: tuple[str, ...]) -> None:
    assert gridlake("query", "ons_load_hourly", *wrong).code == 2


def test_verify_equal_and_different(gridlake: Run, stub: Stub) -> None:
    assert gridlake("verify", "ons_load_hourly", "--json").json["equal"] is True
    stub.verification = {
        "differences": [{"dataset": "ons_load_hourly", "month": "2024-03", "field": "load_mw"}]
    }
    ran = gridlake("verify", "ons_load_hourly")
    assert ran.code == 1
    assert "2024-03" in ran.out


def test_a_verification_that_fails_is_told(gridlake: Run, stub: Stub) -> None:
    stub.verification = {
        "error": {"code": "verification_failed", "message": "InfluxDB is down", "hint": "start it"}
    }
    ran = gridlake("verify")
    assert ran.code == 1
    assert "InfluxDB is down" in ran.err


def test_datasets_and_contracts(gridlake: Run, tmp_path: Path) -> None:
    assert "Hourly load" in gridlake("datasets").out
    shown = gridlake("datasets", "ons_load_hourly").out
    assert "load_mw" in shown
    assert "N, SE" in shown
    assert "1.0.0" in gridlake("contracts", "list").out
    assert gridlake("contracts", "show", "ons_load_hourly").out == "id: ons_load_hourly\n"


def test_a_contract_is_checked_here_before_it_is_sent(gridlake: Run, tmp_path: Path) -> None:
    table, contract = tmp_path / "transformer.csv", tmp_path / "transformer.yaml"
    table.write_text("date,OT\n" + "".join(f"2017-03-01 {hour:02}:00:00,{hour}.5\n" for hour in range(24)))
    gridlake("contracts", "draft", table, "-o", contract)
    assert gridlake("contracts", "add", contract, "--json").json["dataset"] == "transformer"
    contract.write_text("id: transformer\n")
    refused = gridlake("contracts", "add", contract)
    assert refused.code == 1
    assert f"{contract}:1:1: error" in refused.out
    assert gridlake("contracts", "add", tmp_path / "none.yaml").code == 2


def test_samples_write_a_manifest(gridlake: Run, tmp_path: Path) -> None:
    ran = gridlake("samples", "generate", tmp_path / "s", "--set", "demo", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json) == 12
    assert (tmp_path / "s" / "manifest.json").is_file()


def test_sparkline_averages_and_keeps_gaps() -> None:
    assert sparkline([0.0, 7.0, None, 3.5]) == "▁█ ▅"
    assert len(sparkline([float(n) for n in range(500)])) == 60
    assert sparkline([None, None]) == ""


def test_draft_validates_without_a_platform(gridlake: Run, stub: Stub, tmp_path: Path) -> None:
    table = tmp_path / "transformer.csv"
    table.write_text("date,OT\n" + "".join(f"2017-03-01 {hour:02}:00:00,{hour}.5\n" for hour in range(24)))
    drafted = tmp_path / "transformer.yaml"
    ran = gridlake("contracts", "draft", table, "-o", drafted)
    assert ran.code == 0, ran.err
    assert gridlake("contracts", "validate", drafted).code == 0
    assert "kind: DataContract" in gridlake("contracts", "draft", table).out
    assert gridlake("contracts", "draft", tmp_path / "none.csv").code == 2
    assert not stub.requests


def test_validate_names_file_and_line(gridlake: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("id: x\nschema: [\n")
    ran = gridlake("contracts", "validate", wrong)
    assert ran.code == 1
    assert f"{wrong}:3:" in ran.out
    assert gridlake("contracts", "validate", wrong, "--json").json[0]["severity"] == "error"
