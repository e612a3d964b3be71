"""At-least-once delivery, concurrency and dependencies that go away: nothing is lost, nothing counted twice."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gridlake.platform.ids import source_id

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


def test_rows_that_influxdb_refuses_are_set_aside(stack: Stack, tmp_path: Path) -> None:
    """A stranger has written whole numbers into the shard of 1985: InfluxDB refuses floats there."""
    measurement = "ons_load_hourly"
    stack.influx(
        "/write", params={"precision": "s"}, content=f"{measurement},subsystem=X load_mw=1i 486432000"
    )
    extra = [f"N;NORTE;1985-06-{day:02} 00:00:00;5.0" for day in range(1, 4)]
    file = hourly_load(tmp_path / _name(2070), start="2070-01-01", extra=extra)
    (report,) = stack.ingest(file)
    stack.influx("/query", params={"q": f"DELETE FROM {measurement} WHERE time < '1986-01-01T00:00:00Z'"})
    assert report["quarantine"] == [{"reason": "influx_refused", "count": 3}], report
    assert (report["status"], report["rows_loaded"], report["points_written"]) == ("partial", 96, 96)
    for start, end in (("1985-01-01", "1986-01-01"), ("2070-01-01", "2071-01-01")):
        assert stack.gridlake("verify", measurement, "--start", start, "--end", end, "--json").code == 0


@pytest.mark.parametrize(("stage", "year"), [("process", 2100), ("load", 2120)])
def test_a_function_killed_midway_is_run_again(
    stack: Stack, tmp_path: Path, eventually: Callable[..., Any], stage: str, year: int
) -> None:
    hours = 24 * 365 * 15
    file = hourly_load(tmp_path / _name(year), start=f"{year}-01-01", hours=hours)
    key, reports = f"raw/uploads/{file.name}", list[dict[str, Any]]()
    upload = threading.Thread(target=lambda: reports.extend(stack.ingest(file, timeout=400)))
    upload.start()
    eventually(lambda: any(r["stage"] == stage for r in _records(stack, key)), every=0.1)
    time.sleep(0.7)
    assert stack.kill_workers(f"ingestion-{stage}") > 0
    (killed,) = _records(stack, key)
    assert killed["status"] == "running"
    upload.join(400)
    (report,) = reports
    assert (report["status"], report["rows_loaded"], report["points_written"]) == (
        "loaded",
        4 * hours,
        4 * hours,
    )
    start, end = f"{year}-01-01", f"{year + 15}-01-01"
    assert stack.gridlake("verify", "ons_load_hourly", "--start", start, "--end", end, "--json").code == 0


def test_a_file_replaced_while_it_is_processed_ends_as_the_new_one(
    stack: Stack, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    bucket, key, s3 = stack.outputs["RawBucketName"], f"raw/uploads/{_name(2080)}", stack.client("s3")
    for hours, base in ((24 * 365 * 3, 1000.0), (24 * 30, 7000.0)):
        body = hourly_load(tmp_path / "f.csv", start="2080-01-01", hours=hours, base=base).read_bytes()
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        eventually(
            lambda: any(r["stage"] in ("process", "load", "record") for r in _records(stack, key)), every=0.1
        )
    newest, oldest = eventually(_settled(stack, key, 2), seconds=240)
    assert oldest["status"] in ("loaded", "superseded")
    assert (newest["status"], newest["rows_loaded"]) == ("loaded", 4 * 24 * 30)
    assert _count(stack, "2080-01-01", "2083-01-01") == 4 * 24 * 30
    assert (
        stack.gridlake(
            "verify", "ons_load_hourly", "--start", "2080-01-01", "--end", "2084-01-01", "--json"
        ).code
        == 0
    )


def test_overlapping_sources_revised_at_once_end_as_the_lake_says(stack: Stack, tmp_path: Path) -> None:
    names = [_name(2090) for _ in range(6)]
    for base, hours in ((1000.0, 72), (5000.0, 48)):
        files = [
            hourly_load(tmp_path / name, start=f"2090-01-0{1 + n % 3}", hours=hours, base=base + n)
            for n, name in enumerate(names)
        ]
        assert [report["status"] for report in stack.ingest(*files)] == ["loaded"] * 6
    done = stack.gridlake(
        "verify", "ons_load_hourly", "--start", "2090-01-01", "--end", "2091-01-01", "--json"
    )
    assert done.code == 0, done.stdout


def test_a_lock_that_nobody_gives_back_runs_out(stack: Stack, tmp_path: Path) -> None:
    """What an execution leaves that was stopped by hand."""
    file = hourly_load(tmp_path / _name(2095), start="2095-01-01")
    lock = {
        "pk": {"S": f"SOURCE#{source_id(f'raw/uploads/{file.name}')}"},
        "sk": {"S": "LOCK"},
        "owner": {"S": "an execution that was stopped"},
        "expires_at": {"N": str(int(time.time()) + 6)},
    }
    stack.client("dynamodb").put_item(TableName=stack.outputs["LedgerTableName"], Item=lock)
    (report,) = stack.ingest(file)
    assert (report["status"], report["attempts"]) == ("loaded", 1)
    assert report["seconds"] > 3


def test_a_source_that_becomes_a_series_leaves_nothing_behind(stack: Stack, tmp_path: Path) -> None:
    name = f"plantas{uuid.uuid4().hex[:8]}"
    file = tmp_path / f"{name}_2031.csv"
    rows = [f"2031-01-01 {hour:02}:00:00;{plant};{hour}" for plant in "AB" for hour in range(24)]
    file.write_text("\n".join([f"instante;planta_{name};mw", *rows]) + "\n")
    lake, s3 = stack.outputs["LakeBucketName"], stack.client("s3")
    (first,) = stack.ingest(file)
    place = f"silver/uncatalogued/{source_id(f'raw/uploads/{file.name}')}/"
    assert first["status"] == "uncatalogued"
    assert s3.list_objects_v2(Bucket=lake, Prefix=place)["KeyCount"] > 0

    done = stack.gridlake("ingest", file, "--accept-draft", "--json")
    assert done.code == 0, done.stderr
    assert (done.json[0]["status"], done.json[0]["points_written"]) == ("loaded", 48)
    assert s3.list_objects_v2(Bucket=lake, Prefix=place)["KeyCount"] == 0
    assert stack.gridlake("verify", done.json[0]["dataset"], "--json").code == 0


def test_everything_is_there_after_a_restart(stack: Stack) -> None:
    before = stack.gridlake("datasets", "--json").json
    stack.platform.down()
    assert not stack.platform.status().running
    status = stack.platform.up()
    assert (status.api_url, status.api_keys) == (stack.status.api_url, stack.status.api_keys)
    assert stack.gridlake("datasets", "--json").json == before
    assert stack.gridlake("verify", "--json").code == 0
