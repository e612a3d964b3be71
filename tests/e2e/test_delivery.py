"""At-least-once delivery, concurrency and dependencies that go away: nothing is lost, nothing counted twice."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .builders import hourly_load
from .conftest import Stack

pytestmark = pytest.mark.timeout(600)
FINAL = {"loaded", "partial", "uncatalogued", "failed", "superseded"}


def _name(year: int) -> str:
    """A file name that no earlier run on a kept platform has used."""
    return f"CURVA_CARGA_{year}_{uuid.uuid4().hex[:8]}.csv"


def _records(stack: Stack, key: str) -> list[dict[str, Any]]:
    with stack.api() as api:
        return list(api.get("/ingestions", params={"key": key}).json()["items"])


def _settled(stack: Stack, key: str, number: int) -> Callable[[], list[dict[str, Any]] | None]:
    def look() -> list[dict[str, Any]] | None:
        records = _records(stack, key)
        done = len(records) >= number and all(record["status"] in FINAL for record in records)
        return records if done else None

    return look


def _count(stack: Stack, day: str, next_day: str) -> float:
    answer = stack.query(
        "ons_load_hourly", "--measure", "load_mw", "--start", day, "--end", next_day,
        "--window", "1d", "--aggregate", "count",
    )  # fmt: skip
    return float(sum(row[-1] for row in answer["rows"]))


def test_the_same_event_twice_is_one_ingestion(
    stack: Stack, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    (report,) = stack.ingest(hourly_load(tmp_path / _name(2040), start="2040-01-01"))
    with stack.api() as api:
        record = api.get(f"/ingestions/{report['ingestion_id']}").json()
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": record["bucket"]},
            "object": {"key": record["key"], "version-id": record["version_id"], "etag": record["etag"],
                       "size": record["size"]},
        },
    }  # fmt: skip
    states = stack.client("stepfunctions")
    again = states.start_execution(
        stateMachineArn=stack.outputs["IngestionStateMachineArn"], input=json.dumps(event)
    )["executionArn"]
    ended = eventually(
        lambda: (s := states.describe_execution(executionArn=again)["status"]) != "RUNNING" and s
    )
    assert ended == "SUCCEEDED"
    (only,) = _records(stack, record["key"])
    assert (only["status"], only["attempts"]) == ("loaded", 1)
    assert only["dataset_version"] == record["dataset_version"]


def test_one_key_uploaded_concurrently_ends_as_its_last_version(
    stack: Stack, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    bucket, key = stack.outputs["RawBucketName"], f"raw/uploads/{_name(2041)}"
    s3 = stack.client("s3")
    bodies = [
        hourly_load(tmp_path / f"{number}.csv", start="2041-01-01", base=1000.0 * number).read_bytes()
        for number in range(1, 6)
    ]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda body: s3.put_object(Bucket=bucket, Key=key, Body=body), bodies))
    records = eventually(_settled(stack, key, 5), seconds=240)
    assert {record["status"] for record in records} <= {"loaded", "superseded"}

    latest = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    base = 1000.0 * (bodies.index(latest) + 1)
    first = stack.query(
        "ons_load_hourly", "--measure", "load_mw", "--filter", "subsystem=N",
        "--start", "2041-01-01", "--end", "2041-01-01T01:00:00",
    )["rows"]  # fmt: skip
    assert [row[-1] for row in first] == [base]
    assert stack.gridlake("verify", "ons_load_hourly", "--json").code == 0


def test_a_file_deleted_while_it_is_processed_still_loads(
    stack: Stack, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    bucket, key = stack.outputs["RawBucketName"], f"raw/uploads/{_name(2042)}"
    s3 = stack.client("s3")
    s3.put_object(
        Bucket=bucket, Key=key, Body=hourly_load(tmp_path / "f.csv", start="2042-01-01").read_bytes()
    )
    s3.delete_object(Bucket=bucket, Key=key)
    (record,) = eventually(_settled(stack, key, 1), seconds=120)
    assert (record["status"], record["rows_loaded"]) == ("loaded", 96)


def test_two_hundred_uploads_at_once_all_arrive(stack: Stack, tmp_path: Path) -> None:
    files = [
        hourly_load(tmp_path / f"CURVA_CARGA_2050_{n:03}.csv", start=f"2050-{1 + n // 28:02}-{1 + n % 28:02}")
        for n in range(200)
    ]
    reports = stack.ingest(*files, timeout=560)
    assert [report["status"] for report in reports] == ["loaded"] * 200
    assert _count(stack, "2050-01-01", "2051-01-01") == 200 * 96


def test_influxdb_restarting_during_a_load_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    file = hourly_load(tmp_path / _name(2060), start="2060-01-01", hours=24 * 365)
    reports: list[dict[str, Any]] = []
    upload = threading.Thread(target=lambda: reports.extend(stack.ingest(file)))
    stack.stop_influxdb()
    try:
        upload.start()
        upload.join(8)
    finally:
        stack.start_influxdb()
    upload.join(240)
    (report,) = reports
    assert (report["status"], report["points_written"]) == ("loaded", 4 * 24 * 365)
    assert stack.gridlake("verify", "ons_load_hourly", "--start", "2060-01-01", "--json").code == 0


def test_a_failed_ingestion_is_run_again_by_redrive(stack: Stack, tmp_path: Path) -> None:
    """The lake bucket refuses the function for a while, as when a permission is lost."""
    file = hourly_load(tmp_path / _name(2061), start="2061-01-01")
    with stack.permission_denied("process", "s3:PutObject"):
        (failed,) = stack.ingest(file)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "access_denied")
    done = stack.gridlake("redrive", failed["ingestion_id"], "--json")
    assert done.code == 0, done.stderr
    assert done.json["status"] == "loaded"
    assert done.json["attempts"] == 2
    assert _count(stack, "2061-01-01", "2061-01-02") == 96
