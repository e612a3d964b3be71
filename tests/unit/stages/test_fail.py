"""Nothing is lost when an ingestion fails, and everybody learns why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from gridlake.platform.clients import client
from gridlake.platform.errors import TransientError
from tests.unit.aws_environment import BUCKETS, Application
from tests.unit.stages.conftest import DAYS, KEY, Machine

TIMEOUT = {"Error": "Sandbox.Timedout", "Cause": '{"errorMessage": "Task timed out after 900.00 seconds"}'}


def failed(machine: Machine, app: Application, key: str = KEY, error: Any = TIMEOUT) -> dict[str, Any]:
    payload = machine.route(app.begin(app.upload(DAYS, key)))
    return machine.fail(payload, error)


def test_raw_copy_manifest_record_alert_and_free_lock(machine: Machine, app: Application) -> None:
    payload = failed(machine, app)
    source = payload["source"]
    folder = f"failed/{source['ingestion_id']}"
    assert sorted(app.keys("quarantine")) == [f"{folder}/CARGA_ENERGIA_2023.csv", f"{folder}/error.json"]
    manifest = app.json(f"s3://{BUCKETS['quarantine']}/{folder}/error.json")
    assert manifest["error"]["code"] == "function_timed_out"
    assert (manifest["stage"], manifest["raw"]) == (
        "route",
        f"s3://{BUCKETS['raw']}/{KEY}?versionId={source['version_id']}",
    )
    assert source["ingestion_id"] in manifest["redrive"]
    record = machine.ledger.get(source["ingestion_id"])
    assert (record["status"], record["error"]["code"]) == ("failed", "function_timed_out")
    assert record["rows_in"] == record["rows_loaded"] + record["rows_quarantined"]
    assert payload["error"]["code"] == "function_timed_out"
    alert = json.loads(app.alerts()[0]["Message"])
    assert alert["ingestion_id"] == source["ingestion_id"]
    assert machine.ledger.acquire_lock(source["source_id"], "next")


def test_it_may_run_twice(machine: Machine, app: Application) -> None:
    payload = failed(machine, app)
    machine.fail(payload, TIMEOUT)
    assert machine.ledger.get(payload["source"]["ingestion_id"])["attempts"] == 1
    assert len(app.keys("quarantine")) == 2


def test_a_file_named_like_the_manifest_is_kept_beside_it(machine: Machine, app: Application) -> None:
    payload = failed(machine, app, "raw/ons/error.json")
    folder = f"failed/{payload['source']['ingestion_id']}"
    assert sorted(app.keys("quarantine")) == [f"{folder}/error.json", f"{folder}/file"]
    copy = client("s3").get_object(Bucket=BUCKETS["quarantine"], Key=f"{folder}/file")["Body"].read()
    assert copy == DAYS


def test_the_failed_version_is_copied_although_the_key_was_replaced(
    machine: Machine, app: Application
) -> None:
    payload = machine.route(app.begin(app.upload(DAYS, KEY)))
    app.upload(b"newer", KEY)
    machine.fail(payload, TIMEOUT)
    copy = f"failed/{payload['source']['ingestion_id']}/CARGA_ENERGIA_2023.csv"
    body = client("s3").get_object(Bucket=BUCKETS["quarantine"], Key=copy)["Body"].read()
    assert body == DAYS


@pytest.mark.parametrize("key", ["raw/ons/é ç+1.csv", "raw/ons/..", "raw/ons/" + "x" * 900 + ".csv"])
def test_any_key_has_a_copy(machine: Machine, app: Application, key: str) -> None:
    payload = failed(machine, app, key)
    copies = [k for k in app.keys("quarantine") if not k.endswith("/error.json")]
    assert len(copies) == 1
    assert copies[0].rsplit("/", 1)[1] not in ("", ".", "..")
    assert machine.ledger.get(payload["source"]["ingestion_id"])["status"] == "failed"


def test_a_raw_version_that_is_gone_stops_nothing(machine: Machine, app: Application) -> None:
    payload = machine.route(app.begin(app.upload(DAYS, KEY)))
    version = payload["source"]["version_id"]
    client("s3").delete_object(Bucket=BUCKETS["raw"], Key=KEY, VersionId=version)
    machine.fail(payload, TIMEOUT)
    manifest = app.json(f"s3://{BUCKETS['quarantine']}/failed/{payload['source']['ingestion_id']}/error.json")
    assert manifest["copy"]["error"]["code"].startswith("object_")
    assert machine.ledger.get(payload["source"]["ingestion_id"])["status"] == "failed"


def test_an_unreachable_s3_is_tried_again(machine: Machine, app: Application) -> None:
    payload = machine.route(app.begin(app.upload(DAYS, KEY)))
    with Stubber(client("s3")) as stub:
        stub.add_client_error("head_object", "SlowDown", http_status_code=503)
        with pytest.raises(TransientError):
            machine.fail(payload, TIMEOUT)
    machine.fail(payload, TIMEOUT)
    assert machine.ledger.get(payload["source"]["ingestion_id"])["status"] == "failed"


def test_a_failure_before_the_claim_is_recorded_from_the_event(machine: Machine, app: Application) -> None:
    payload = machine.fail(app.begin(app.upload(DAYS, KEY)), TIMEOUT)
    record = machine.ledger.get(payload["source"]["ingestion_id"])
    assert (record["status"], record["stage"], record["file"]) == (
        "failed",
        "route",
        "CARGA_ENERGIA_2023.csv",
    )


def test_row_counts_of_a_rejected_file_are_kept(machine: Machine, app: Application) -> None:
    error = {
        "code": "all_rows_quarantined",
        "message": "all rows",
        "details": {"rows_in": 3, "rows_loaded": 0, "rows_quarantined": 3, "quarantine": {"out_of_range": 3}},
    }
    cause = json.dumps({"errorType": "QualityError", "errorMessage": json.dumps(error)})
    payload = failed(machine, app, error={"Error": "QualityError", "Cause": cause})
    record = machine.ledger.get(payload["source"]["ingestion_id"])
    assert (record["rows_in"], record["rows_quarantined"], record["quarantine"]) == (
        3,
        3,
        {"out_of_range": 3},
    )
    assert "details" not in record["error"]
