"""ingest, ingestions, redrive."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gridlake_cli.upload import FileBody, ingestion_id

from .stub import BUCKET, Stub

Run = Callable[..., Any]


def test_report_has_what_the_issue_asks_for(gridlake: Run, stub: Stub, load_file: Path) -> None:
    ran = gridlake("ingest", load_file, "--json")
    assert ran.code == 0, ran.err
    (report,) = ran.json
    assert report.items() >= {
        "file": str(load_file), "status": "loaded", "dataset": "ons_load_hourly", "rows_in": 4, "rows_loaded": 4,
        "rows_quarantined": 0, "quarantine": [], "points_written": 4, "seconds": 1.5, "error": None,
    }.items()  # fmt: skip
    key = "raw/uploads/CURVA_CARGA_2024.csv"
    assert report["ingestion_id"] == ingestion_id(BUCKET, key, "v0")
    assert stub.objects[key] == load_file.read_bytes()


def test_the_api_key_never_reaches_the_store(gridlake: Run, stub: Stub, load_file: Path) -> None:
    gridlake("ingest", load_file)
    (headers,) = stub.received("STORE", "/")
    assert "x-api-key" not in {name.lower() for name in headers}
    assert headers["content-length"] == str(load_file.stat().st_size)


def test_quarantine_is_a_list_of_reason_and_count_most_first(gridlake: Run, tmp_path: Path) -> None:
    path = tmp_path / "partial.csv"
    path.write_text("a\n" * 11)
    ran = gridlake("ingest", path, "--json")
    (report,) = ran.json
    assert (ran.code, report["status"], report["rows_quarantined"]) == (0, "partial", 3)
    assert report["quarantine"] == [
        {"reason": "out_of_range", "count": 2},
        {"reason": "missing_value", "count": 1},
    ]


def test_a_failed_file_is_exit_code_1_and_says_why(gridlake: Run, stub: Stub, load_file: Path) -> None:
    stub.failing.add(load_file.name)
    ran = gridlake("ingest", load_file)
    assert ran.code == 1
    assert "empty_file" in ran.err
    assert "upload it again" in ran.err


@pytest.mark.parametrize(
    ("argument", "said"),
    [("missing.csv", "no such file"), (".", "is a folder"), ("nothing-*.csv", "No file matches")],
)
def test_what_cannot_be_uploaded_is_told_before_anything_is_sent(
    gridlake: Run, stub: Stub, load_file: Path, tmp_path: Path, argument: str, said: str
) -> None:
    ran = gridlake("ingest", load_file, tmp_path / argument, "--json")
    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err
    assert not stub.requests


def test_patterns_that_the_shell_left_alone_are_expanded(gridlake: Run, load_file: Path) -> None:
    load_file.with_name("CURVA_CARGA_2025.csv").write_text("a\n1\n")
    ran = gridlake("ingest", load_file.parent / "CURVA_*.csv", "--json")
    assert [Path(r["file"]).name for r in ran.json] == ["CURVA_CARGA_2024.csv", "CURVA_CARGA_2025.csv"]


def test_many_files_keep_their_order(gridlake: Run, stub: Stub, tmp_path: Path) -> None:
    files = [tmp_path / f"CURVA_CARGA_{n:03}.csv" for n in range(40)]
    for n, file in enumerate(files):
        file.write_text("a\n" + "1\n" * (n + 1))
    ran = gridlake("ingest", *files, "--json")
    assert ran.code == 0, ran.err
    assert [r["rows_in"] for r in ran.json] == list(range(1, 41))
    listings = [path for verb, path, _ in stub.requests if (verb, path) == ("GET", "/ingestions")]
    assert listings, "many pending uploads are looked up in the listing, not one by one"


def test_files_of_one_name_go_in_the_order_given(gridlake: Run, stub: Stub, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.csv").write_text(f"{folder}\n1\n")
    ran = gridlake("ingest", tmp_path / "a" / "same.csv", tmp_path / "b" / "same.csv")
    assert stub.objects["raw/uploads/same.csv"].startswith(b"b")
    assert "--publisher" in ran.err


def test_a_store_that_hides_its_version_is_looked_up_by_key(
    gridlake: Run, stub: Stub, load_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.tell_version = False
    monkeypatch.setattr("gridlake_cli.ingest.CLOCK_SLACK", 10**9)
    (report,) = gridlake("ingest", load_file, "--json", "--timeout", 20).json
    assert report["status"] == "loaded"
    assert report["ingestion_id"] in stub.records


def test_timeout_says_how_to_ask_later(gridlake: Run, stub: Stub, load_file: Path) -> None:
    stub.never_ending = True
    ran = gridlake("ingest", load_file, "--timeout", 1, "--json")
    assert ran.code == 1
    (report,) = ran.json
    assert (report["status"], report["error"]["code"]) == ("running", "timeout")
    assert report["ingestion_id"] in report["error"]["hint"]


def test_no_wait_returns_at_once(gridlake: Run, stub: Stub, load_file: Path) -> None:
    (report,) = gridlake("ingest", load_file, "--no-wait", "--json").json
    assert (report["status"], report["rows_in"]) == ("received", 0)
    assert not stub.received("GET", "/ingestions")


def test_accept_draft_registers_the_contract_and_runs_again(
    gridlake: Run, stub: Stub, load_file: Path
) -> None:
    stub.uncatalogued.add(load_file.name)
    assert "--accept-draft" in gridlake("ingest", load_file).err
    ran = gridlake("ingest", load_file, "--accept-draft", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json[0]["status"], ran.json[0]["dataset"]) == ("loaded", "transformer")
    assert stub.contracts == ["apiVersion: v3.1.0\nid: transformer\n"]


def test_redrive_waits_for_the_new_end(gridlake: Run, stub: Stub, load_file: Path) -> None:
    stub.failing.add(load_file.name)
    (failed,) = gridlake("ingest", load_file, "--json").json
    ran = gridlake("redrive", failed["ingestion_id"], "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["status"], ran.json["attempts"], ran.json["error"]) == ("loaded", 2, None)


def test_ingestions_lists_filters_and_shows_one(gridlake: Run, stub: Stub, load_file: Path) -> None:
    (report,) = gridlake("ingest", load_file, "--json").json
    assert load_file.name in gridlake("ingestions").out
    assert gridlake("ingestions", "--status", "failed", "--json").json == []
    assert "No ingestions" in gridlake("ingestions", "--status", "failed").err
    assert report["ingestion_id"] in gridlake("ingestions", report["ingestion_id"]).out


def test_a_record_is_shown_with_a_line_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    from gridlake_cli.commands.files import show_record

    show_record(
        {
            "ingestion_id": "ing-1",
            "dataset": None,
            "error": {"code": "empty_file", "message": "nothing in it"},
            "lineage": {"silver": ["s3://lake/a", "s3://lake/b"]},
        }
    )
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.strip()]
    shown = [(line[0], line[1].strip()) for line in lines if len(line) == 2]
    assert shown == [
        ("ingestion_id", "ing-1"),
        ("error.code", "empty_file"),
        ("error.message", "nothing in it"),
        ("lineage.silver", "s3://lake/a"),
        ("lineage.silver", "s3://lake/b"),
    ]


@pytest.mark.parametrize("content", ["id;value\n" + "N;1\n" * 20, ""])
def test_a_file_that_changes_while_it_is_uploaded_is_said(
    gridlake: Run, stub: Stub, load_file: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    read = FileBody.__iter__

    def changing(body: FileBody) -> Iterator[bytes]:
        body.path.write_text(content)
        return read(body)

    monkeypatch.setattr(FileBody, "__iter__", changing)
    (report,) = gridlake("ingest", load_file, "--json").json
    assert (report["status"], report["error"]["code"]) == ("failed", "file_changed")
    assert load_file.name in report["error"]["message"]


def test_a_name_that_is_not_utf8_fails_by_itself(gridlake: Run, load_file: Path) -> None:
    odd = load_file.with_name(os.fsdecode(b"CARGA_\xe9.csv"))
    odd.write_text("a;b\n1;2\n")
    reports = gridlake("ingest", load_file, odd, "--json").json
    assert [r["status"] for r in reports] == ["loaded", "failed"]
    assert reports[1]["error"]["code"] == "invalid_filename"
    assert os.fsencode(reports[1]["file"]) == os.fsencode(odd)
