"""Publishing and recording: every row accounted for, revisions, crashes, redrives."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.stub import Stubber

from gridlake.ingestion import silver
from gridlake.platform.clients import client
from gridlake.platform.errors import GridlakeError
from gridlake.workflow.context import Source
from tests.unit.aws_environment import BUCKETS, Application
from tests.unit.stages.conftest import DAYS, KEY, Machine, load_daily

FOLDER = "silver/ons_load_daily/"


def rows(bucket: str, key: str) -> list[dict[str, Any]]:
    body = client("s3").get_object(Bucket=BUCKETS[bucket], Key=key)["Body"].read()
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return found


def test_a_file_becomes_silver_by_month_and_a_full_record(machine: Machine, app: Application) -> None:
    record = machine.run(app.upload(DAYS, KEY))
    source_id = record["source_id"]
    assert app.keys("lake", FOLDER) == [
        f"{FOLDER}year=2023/month=01/{source_id}.parquet",
        f"{FOLDER}year=2023/month=02/{source_id}.parquet",
    ]
    assert (record["status"], record["rows_in"], record["rows_loaded"], record["rows_quarantined"]) == (
        "loaded",
        3,
        3,
        0,
    )
    assert (record["dataset"], record["dataset_version"], record["attempts"]) == ("ons_load_daily", 1, 1)
    assert record["finished_at"]
    assert len(record["lineage"]["silver"]) == 2
    totals = machine.ledger.dataset("ons_load_daily")
    assert totals is not None
    assert (totals["rows"], totals["sources"]) == (3, 1)
    assert machine.ledger.pending(source_id) == []
    assert machine.ledger.acquire_lock(source_id, "next")


def test_bad_rows_are_quarantined_with_their_line_and_counted(machine: Machine, app: Application) -> None:
    body = load_daily(("N", "2023-01-01", "5300.5"), ("N", "2023-01-02", "many"), ("N", "neverday", "1"))
    record = machine.run(app.upload(body, KEY))
    assert (record["status"], record["rows_in"], record["rows_loaded"]) == ("partial", 3, 1)
    assert record["rows_quarantined"] == sum(record["quarantine"].values()) == 2
    kept = rows("quarantine", record["lineage"]["quarantine"].split("/", 3)[3])
    assert sorted(row["source_row"] for row in kept) == [3, 4]


def test_the_same_content_again_writes_nothing(machine: Machine, app: Application) -> None:
    first = machine.run(app.upload(DAYS, KEY))
    before = client("s3").list_object_versions(Bucket=BUCKETS["lake"])["Versions"]
    again = machine.run(app.upload(DAYS, KEY))
    assert client("s3").list_object_versions(Bucket=BUCKETS["lake"])["Versions"] == before
    assert (again["unchanged"], again["status"], again["rows_loaded"]) == (
        True,
        "loaded",
        first["rows_loaded"],
    )
    assert first["ingestion_id"] != again["ingestion_id"]


def test_new_code_or_a_redrive_reads_the_same_content_again(machine: Machine, app: Application) -> None:
    record = machine.run(app.upload(DAYS, KEY))
    assert machine.redrive(record)["unchanged"] is False
    assert machine.ledger.get(record["ingestion_id"])["attempts"] == 2


def test_a_revision_replaces_exactly_its_own_rows(machine: Machine, app: Application) -> None:
    other = machine.run(app.upload(DAYS, "raw/ons/CARGA_ENERGIA_2023_other.csv"))
    machine.run(app.upload(DAYS, KEY))
    revised = machine.run(app.upload(load_daily(("N", "2023-03-01", "1")), KEY))
    own = [key for key in app.keys("lake", FOLDER) if revised["source_id"] in key]
    assert own == [f"{FOLDER}year=2023/month=03/{revised['source_id']}.parquet"]
    assert len([key for key in app.keys("lake", FOLDER) if other["source_id"] in key]) == 2
    totals = machine.ledger.dataset("ons_load_daily")
    assert totals is not None
    assert (totals["rows"], totals["sources"]) == (4, 2)


def test_the_load_learns_which_older_versions_to_compare_with(machine: Machine, app: Application) -> None:
    machine.run(app.upload(DAYS, KEY))
    payload = machine.route(app.begin(app.upload(DAYS + b"\n", KEY)))
    payload = machine.process(payload)
    output = app.json(payload["stages"]["process"]["output"])
    assert payload["stages"]["process"]["status"] == "load"
    old, new = (
        {entry["key"]: entry["version_id"] for entry in output[name]} for name in ("previous", "silver")
    )
    assert old.keys() == new.keys()
    assert all(old[key] != new[key] for key in old)
    for key, version in old.items():
        client("s3").head_object(Bucket=BUCKETS["lake"], Key=key, VersionId=version)


def test_a_crash_between_publish_and_record_leaves_nothing_behind_after_the_next_revision(
    machine: Machine, app: Application
) -> None:
    machine.run(app.upload(DAYS, KEY))
    crashed = app.begin(app.upload(load_daily(("N", "2023-05-01", "1"), ("N", "2023-06-01", "1")), KEY))
    payload = machine.process(machine.route(crashed))
    machine.fail(payload, {"Error": "Sandbox.Timedout", "Cause": ""})
    payload = machine.process(machine.route(app.begin(app.upload(load_daily(("N", "2023-06-01", "2")), KEY))))
    output = app.json(payload["stages"]["process"]["output"])
    source_id = payload["source"]["source_id"]
    assert app.keys("lake", FOLDER) == [f"{FOLDER}year=2023/month=06/{source_id}.parquet"]
    # the load must remove the points of the first load and of the crashed attempt
    months = sorted(entry["key"].split("/")[3] for entry in output["previous"])
    assert months == ["month=01", "month=02", "month=05", "month=06"]


def test_a_crash_in_the_middle_of_publish_then_redrive(
    machine: Machine, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = silver.publish

    def dying(*args: Any, **kwargs: Any) -> Any:
        publish(*args, **kwargs)
        raise MemoryError

    monkeypatch.setattr(silver, "publish", dying)
    record = machine.run(app.upload(DAYS, KEY))
    assert (record["status"], record["error"]["code"]) == ("failed", "out_of_memory")
    assert {entry["version_id"] for entry in machine.ledger.pending(record["source_id"])} == {None}
    monkeypatch.setattr(silver, "publish", publish)
    record = machine.redrive(record)
    assert (record["status"], record["attempts"], record["rows_loaded"]) == ("loaded", 2, 3)
    assert "error" not in record
    assert machine.ledger.pending(record["source_id"]) == []


def test_an_execution_that_lost_its_lock_writes_nothing(machine: Machine, app: Application) -> None:
    payload = machine.route(app.begin(app.upload(DAYS, KEY), "slow"))
    source_id = payload["source"]["source_id"]
    machine.ledger.release_lock(source_id, "slow")
    machine.ledger.acquire_lock(source_id, "other")
    with pytest.raises(GridlakeError) as caught:
        machine.process(payload)
    assert caught.value.error_code == "lock_lost"
    assert app.keys("lake", "silver/") == []


def test_a_lost_answer_of_record_is_repeated(machine: Machine, app: Application) -> None:
    payload = machine.process(machine.route(app.begin(app.upload(DAYS, KEY))))
    first = machine.record(payload)
    again = machine.record(payload)
    assert again["stages"]["record"] == first["stages"]["record"]
    totals = machine.ledger.dataset("ons_load_daily")
    assert totals is not None
    assert (totals["rows"], totals["version"]) == (3, 1)


def test_a_rejected_file_keeps_its_counts_its_rows_and_what_was_loaded_before(
    machine: Machine, app: Application
) -> None:
    machine.run(app.upload(DAYS, KEY))
    before = app.keys("lake", FOLDER)
    record = machine.run(app.upload(load_daily(("N", "neverday", "1"), ("X!", "2023-01-01", "none")), KEY))
    assert (record["status"], record["error"]["code"]) == ("failed", "all_rows_quarantined")
    assert (record["rows_in"], record["rows_loaded"], record["rows_quarantined"]) == (2, 0, 2)
    assert len(rows("quarantine", record["lineage"]["quarantine"].split("/", 3)[3])) == 2
    assert app.keys("lake", FOLDER) == before


def test_a_file_without_rows_fails(machine: Machine, app: Application) -> None:
    record = machine.run(app.upload(load_daily(), KEY))
    assert (record["status"], record["error"]["code"]) == ("failed", "no_rows")


def test_a_file_without_contract_is_kept_with_a_draft(machine: Machine, app: Application) -> None:
    body = b"moment,station,wind_speed\n" + b"".join(
        f"2024-01-{d:02d} 00:00:00,A,{d}.5\n".encode() for d in range(1, 29)
    )
    record = machine.run(app.upload(body, "raw/uploads/wind.csv"))
    assert (record["status"], record["rows_in"], record["rows_loaded"]) == ("uncatalogued", 28, 28)
    client("s3").head_object(Bucket=BUCKETS["lake"], Key=record["draft_key"])
    again = machine.run(app.upload(body, "raw/uploads/wind.csv"))
    assert (again["unchanged"], again["draft_key"]) == (True, record["draft_key"])


def test_scratch_is_empty_after_success_and_failure(
    machine: Machine, app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    machine.run(app.upload(DAYS, KEY))
    machine.run(app.upload(load_daily(), KEY))
    assert list(tmp_path.iterdir()) == []


def test_missing_permission_on_the_lake_is_recorded(
    machine: Machine, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = machine.route(app.begin(app.upload(DAYS, KEY)))
    s3 = client("s3")

    def refused(*_: Any, **__: Any) -> None:
        with Stubber(s3) as stub:
            stub.add_client_error("put_object", "AccessDenied", http_status_code=403)
            s3.put_object(Bucket="x", Key="x")

    monkeypatch.setattr(s3, "upload_file", refused)
    with pytest.raises(GridlakeError) as caught:
        machine.process(payload)
    machine.fail(payload, caught.value)
    monkeypatch.undo()
    record = machine.ledger.get(
        Source.from_event(
            {
                "detail": {
                    "bucket": {"name": BUCKETS["raw"]},
                    "object": {"key": KEY, "version-id": payload["source"]["version_id"]},
                }
            }
        ).ingestion_id
    )
    assert (record["status"], record["error"]["code"]) == ("failed", "access_denied")
