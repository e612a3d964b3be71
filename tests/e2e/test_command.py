"""The command as a new user types it, on the deployed stack: what it prints, where, and how it exits."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from .builders import hourly_load
from .conftest import Stack

DAY = ("--start", "2027-01-01", "--end", "2027-01-02")
METER = """Data;Hora;Potência Ativa (kW);Fator de Potência
01/02/2025;00:00;1.234,5;0,92
01/02/2025;01:00;1.250,0;0,93
01/02/2025;02:00;;0,91
"""


@pytest.fixture(scope="module")
def loaded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A day of load is there to be asked for."""
    folder = tmp_path_factory.mktemp("command")
    stack.ingest(hourly_load(folder / "CURVA_CARGA_2027.csv", start="2027-01-01"))
    return stack


def test_a_draft_is_written_validated_registered_and_used(stack: Stack, tmp_path: Path) -> None:
    file, contract = tmp_path / "meter_seven.csv", tmp_path / "meter_seven.yaml"
    file.write_text(METER, encoding="utf-8")
    for arguments in (
        ("contracts", "draft", file, "-o", contract),
        ("contracts", "validate", contract),
        ("contracts", "add", contract),
    ):
        done = stack.gridlake(*arguments)
        assert done.code == 0, done.stderr
    shown = stack.gridlake("contracts", "list", "--json").json
    assert "meter_seven" in {entry["dataset"] for entry in shown}
    assert "Potência Ativa (kW)" in stack.gridlake("contracts", "show", "meter_seven").stdout

    (report,) = stack.ingest(file)
    assert (report["status"], report["dataset"], report["rows_loaded"]) == ("loaded", "meter_seven", 3)
    answer = stack.query(
        "meter_seven", "--measure", "Potência Ativa (kW)", "--start", "2025-02-01", "--end", "2025-02-02"
    )
    assert [row[-1] for row in answer["rows"]] == [1234.5, 1250.0]


def test_a_wrong_contract_is_refused_with_file_and_line(stack: Stack, tmp_path: Path) -> None:
    contract = tmp_path / "wrong.yaml"
    contract.write_text("apiVersion: v3.2.0\nkind: DataContract\nid: wrong\nversion: one\n", encoding="utf-8")
    for verb in ("validate", "add"):
        refused = stack.gridlake("contracts", verb, contract)
        assert refused.code == 1
        assert "wrong.yaml:" in refused.stdout + refused.stderr


def test_csv_is_pure_on_standard_output(loaded: Stack) -> None:
    done = loaded.gridlake("query", "ons_load_hourly", "--measure", "load_mw", *DAY, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 96
    assert set(rows[0]) == {"time", "subsystem", "load_mw"}
    assert float(rows[0]["load_mw"]) == 1000.0


def test_a_plot_is_a_picture(loaded: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "load.png"
    done = loaded.gridlake("query", "ons_load_hourly", "--measure", "load_mw", *DAY, "--plot", picture)
    assert done.code == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 5_000


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("query", "nothing", *DAY), 1, "no dataset 'nothing'"),
        (("query", "ons_load_hourly", "--measure", "lod_mw", *DAY), 2, "did you mean load_mw"),
        (("query", "ons_load_hourly", "--start", "1999-01-01", "--end", "1999-01-02"), 0, "no data"),
        (("ingest", "missing.csv"), 2, "missing.csv: no such file"),
        (("redrive", "ing-none"), 1, "no ingestion 'ing-none'"),
        (("--api-key", "wrong", "datasets"), 2, "refused the API key"),
        (("--url", "http://127.0.0.1:1", "--api-key", "any", "datasets"), 2, "127.0.0.1:1"),
    ],
)
def test_every_refusal_says_what_and_exits_by_kind(
    loaded: Stack, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = loaded.gridlake(*arguments)
    assert (done.code, says in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_status_tells_where_everything_is(loaded: Stack) -> None:
    status = loaded.gridlake("status", "--json").json
    assert status["api_url"] == loaded.status.api_url
    assert set(status["api_keys"]) == {"basic", "standard", "premium"}


def test_datasets_show_what_is_loaded(loaded: Stack) -> None:
    shown = loaded.gridlake("datasets", "ons_load_hourly", "--json").json
    assert shown["rows"] >= 96
    assert {measure["name"] for measure in shown["measures"]} == {"load_mw"}
