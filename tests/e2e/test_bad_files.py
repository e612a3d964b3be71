"""Every kind of bad file ends in a clear state with a code, and the raw file is kept."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .builders import HEADER, hourly_load
from .conftest import Stack


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _protected_workbook(path: Path) -> Path:
    import openpyxl
    from msoffcrypto.format.ooxml import OOXMLFile

    plain = io.BytesIO()
    openpyxl.Workbook().save(plain)
    plain.seek(0)
    with path.open("wb") as out:
        OOXMLFile(plain).encrypt("secret", out)
    return path


def _truncated_gzip(path: Path) -> Path:
    whole = gzip.compress((HEADER + "\n" + "N;NORTE;2024-01-01 00:00:00;1.0\n" * 5000).encode())
    return _write(path, whole[: len(whole) // 2])


FAILURES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "an empty file": (lambda d: _write(d / "CURVA_CARGA_2001.csv", b""), "empty_file"),
    "a header only": (lambda d: _write(d / "CURVA_CARGA_2002.csv", (HEADER + "\n").encode()), "no_rows"),
    "garbage named csv": (
        lambda d: _write(d / "CURVA_CARGA_2003.csv", random.Random(1).randbytes(20_000)),
        "binary_garbage",
    ),
    "a truncated gzip": (lambda d: _truncated_gzip(d / "CURVA_CARGA_2004.csv.gz"), "truncated_gzip"),
    "a zip bomb": (lambda d: _zip(d / "CURVA_CARGA_2005.zip", {"a.csv": b"0" * 300_000_000}), "zip_bomb"),
    "a zip with a path outside": (
        lambda d: _zip(d / "CURVA_CARGA_2006.zip", {"../../etc/a.csv": HEADER.encode()}),
        "zip_unsafe_path",
    ),
    "a protected workbook": (
        lambda d: _protected_workbook(d / "CURVA_CARGA_2007.xlsx"),
        "encrypted_workbook",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_an_unreadable_file_fails_with_its_code_and_is_kept(stack: Stack, tmp_path: Path, kind: str) -> None:
    make, code = FAILURES[kind]
    file = make(tmp_path)
    outcome = stack.gridlake("ingest", file, "--json")
    assert outcome.code == 1
    (report,) = outcome.json
    assert (report["status"], report["error"]["code"]) == ("failed", code)
    assert report["error"]["message"]
    assert report["rows_loaded"] == 0

    with stack.api() as api:
        record = api.get(f"/ingestions/{report['ingestion_id']}").json()
    assert record["error"]["code"] == code
    s3 = stack.client("s3")
    kept = s3.get_object(Bucket=record["bucket"], Key=record["key"], VersionId=record["version_id"])
    assert kept["Body"].read() == file.read_bytes()
    quarantine = s3.list_objects_v2(
        Bucket=stack.outputs["QuarantineBucketName"], Prefix=f"failed/{report['ingestion_id']}/"
    )
    assert {Path(o["Key"]).name for o in quarantine["Contents"]} == {file.name, "error.json"}


def test_damaged_rows_are_quarantined_with_reasons_and_the_rest_loads(stack: Stack, tmp_path: Path) -> None:
    file = hourly_load(
        tmp_path / "CURVA_CARGA_2019.csv",
        start="2019-06-01",
        replace={("N", 3): "", ("NE", 4): "12a4"},
        extra=[
            "S;SUL;2019-06-01 05:00:00",
            "S;SUL;2019-06-02 05:00:00;1.0;surplus",
            HEADER,
            "S;SUL;not a date;1.0",
            "XX;NOWHERE;2019-06-02 07:00:00;1.0",
            "SE;SUDESTE;2019-06-01 00:00:00;1300.000",
        ],
    )
    (report,) = stack.ingest(file)
    assert report["status"] == "partial"
    assert {entry["reason"]: entry["count"] for entry in report["quarantine"]} == {
        "missing_value": 1,
        "unparsable_number": 1,
        "too_few_columns": 1,
        "too_many_columns": 1,
        "repeated_header": 1,
        "unparsable_time": 1,
        "unknown_code": 1,
        "duplicate_identical": 1,
    }
    assert report["rows_loaded"] == 94


@pytest.mark.parametrize(
    "name",
    ["CURVA CARGA 2026.csv", "CURVA_CARGA_2026+1.csv", "CURVA_CARGA_ação_2026.csv", "CURVA_CARGA_..2026.csv"],
)
def test_any_file_name_survives_the_way(stack: Stack, tmp_path: Path, name: str) -> None:
    (report,) = stack.ingest(hourly_load(tmp_path / name, start="2026-02-01"))
    assert (report["status"], report["dataset"]) == ("loaded", "ons_load_hourly")
    with stack.api() as api:
        record = api.get(f"/ingestions/{report['ingestion_id']}").json()
    assert record["key"].endswith("/" + name)
