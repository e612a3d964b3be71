"""Which uploads are processed, when, and by which function."""

from __future__ import annotations

import dataclasses
import gzip
import json
from typing import Any

import pytest
from botocore.stub import Stubber

from gridlake.platform.clients import client
from gridlake.platform.errors import GridlakeError
from gridlake.platform.settings import Settings
from gridlake.workflow.context import Source
from tests.unit.aws_environment import BUCKETS, Application
from tests.unit.stages.conftest import DAYS, KEY, Machine


def status_of(payload: dict[str, Any]) -> str:
    return str(payload["stages"]["route"]["status"])


def output_of(app: Application, payload: dict[str, Any]) -> dict[str, Any]:
    return dict(app.json(payload["stages"]["route"]["output"]))


def bounded(machine: Machine, **variables: str) -> None:
    settings = machine.app.settings
    machine.app.settings = dataclasses.replace(settings, variables={**settings.variables, **variables})


@pytest.fixture
def uploaded(app: Application) -> dict[str, Any]:
    return app.upload(DAYS, KEY)


def test_a_small_file_is_recognised_by_its_content(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    payload = machine.route(app.begin(uploaded))
    output = output_of(app, payload)
    assert (status_of(payload), output["match"]["dataset"], output["format"]) == (
        "small",
        "ons_load_daily",
        "csv",
    )
    record = machine.ledger.get(payload["source"]["ingestion_id"])
    assert (record["status"], record["dataset"], record["size"]) == ("running", "ons_load_daily", len(DAYS))


def test_size_decides_on_the_function(machine: Machine, app: Application, uploaded: dict[str, Any]) -> None:
    bounded(machine, LAMBDA_MAX_BYTES=str(len(DAYS) - 1))
    assert status_of(machine.route(app.begin(uploaded))) == "large"


def test_uncompressed_size_decides_too(machine: Machine, app: Application) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("CARGA_ENERGIA_2023.csv", DAYS + DAYS.split(b"\n", 1)[1] * 50)
    event = app.upload(packed.getvalue(), "raw/ons/load.zip")
    bounded(machine, LAMBDA_MAX_BYTES=str(len(packed.getvalue()) + 1))
    assert status_of(machine.route(app.begin(event))) == "large"


def test_a_file_beyond_every_bound_fails_before_it_is_read(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    bounded(machine, LARGE_MAX_BYTES="10")
    with pytest.raises(GridlakeError) as caught:
        machine.route(app.begin(uploaded))
    assert caught.value.error_code == "file_too_large"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_file"),
        (gzip.compress(DAYS)[:-10], "truncated_gzip"),
        (b"%PDF-1.7 x", "pdf_not_supported_yet"),
    ],
)
def test_hopeless_files_fail_with_the_reason(
    machine: Machine, app: Application, body: bytes, code: str
) -> None:
    record = machine.run(app.upload(body, "raw/ons/load.csv"))
    assert (record["status"], record["error"]["code"]) == ("failed", code)
    assert record["error"]["hint"]


def test_an_event_delivered_twice_is_worked_on_once(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    assert status_of(machine.route(app.begin(uploaded, "one"))) == "small"
    assert status_of(machine.route(app.begin(uploaded, "two"))) == "duplicate"
    assert status_of(machine.route(app.begin(uploaded, "one"))) == "small"  # its own retry


def test_only_the_newest_of_concurrent_uploads_is_loaded(machine: Machine, app: Application) -> None:
    events = [app.upload(DAYS + b"\n" * n, KEY) for n in range(4)]
    statuses = [status_of(machine.route(app.begin(event))) for event in events]
    assert statuses == ["superseded"] * 3 + ["small"]
    assert machine.ledger.get(Source.from_event(events[0]).ingestion_id)["status"] == "superseded"


def test_a_newer_upload_waits_until_the_older_has_finished(machine: Machine, app: Application) -> None:
    older = machine.route(app.begin(app.upload(DAYS, KEY), "older"))
    newer = app.begin(app.upload(DAYS + b"\n", KEY), "newer")
    waiting = machine.route(newer)
    assert status_of(waiting) == "busy"
    machine.ledger.release_lock(older["source"]["source_id"], "older")
    assert status_of(machine.route(waiting)) == "small"


def test_an_upload_replaced_while_it_waited_is_superseded_and_frees_the_lock(
    machine: Machine, app: Application
) -> None:
    machine.ledger.acquire_lock(Source.from_event(app.upload(DAYS, KEY)).source_id, "other")
    waiting = machine.route(app.begin(app.upload(DAYS, KEY), "one"))
    assert status_of(waiting) == "busy"
    newest = app.upload(DAYS, KEY)
    machine.ledger.release_lock(waiting["source"]["source_id"], "other")
    assert status_of(machine.route(waiting)) == "superseded"
    assert status_of(machine.route(app.begin(newest, "two"))) == "small"


def test_other_keys_do_not_wait(machine: Machine, app: Application) -> None:
    for key in (KEY, "raw/ons/CARGA_ENERGIA_2024.csv", "raw/ons/a b+é/../CARGA_ENERGIA_2024.csv"):
        assert status_of(machine.route(app.begin(app.upload(DAYS, key)))) == "small"


def test_a_version_behind_a_delete_marker_is_still_loaded(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    older = app.upload(DAYS, KEY)
    newest = app.upload(DAYS, KEY)
    client("s3").delete_object(Bucket=BUCKETS["raw"], Key=KEY)
    app.upload(DAYS, KEY + ".other")
    assert status_of(machine.route(app.begin(older))) == "superseded"
    assert machine.run(newest)["status"] == "loaded"


def test_a_deleted_version_fails_clearly(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    version = uploaded["detail"]["object"]["version-id"]
    client("s3").delete_object(Bucket=BUCKETS["raw"], Key=KEY, VersionId=version)
    record = machine.run(uploaded)
    assert (record["status"], record["error"]["code"]) == ("failed", "object_missing")


def test_missing_permission_is_recorded_with_the_operation(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    payload = app.begin(uploaded)
    with Stubber(client("s3")) as stub:
        stub.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(GridlakeError) as caught:
            machine.route(payload)
    machine.fail(payload, caught.value)
    error = machine.ledger.get(Source.from_event(uploaded).ingestion_id)["error"]
    assert error["code"] == "access_denied"
    assert "HeadObject" in error["message"]


def test_a_redrive_while_it_runs_is_refused_and_does_not_disturb_the_run(
    machine: Machine, app: Application, uploaded: dict[str, Any]
) -> None:
    running = machine.route(app.begin(uploaded, "first"))
    record = machine.ledger.get(running["source"]["ingestion_id"])
    machine.run(machine.ledger.redrive_event(record), "second")
    after = machine.ledger.get(running["source"]["ingestion_id"])
    assert (after["status"], after["execution"], after["attempts"]) == ("running", "first", 1)
    assert app.keys("quarantine") == []


@pytest.mark.parametrize("name", ["ingestion_route", "ingestion_fail"])
def test_sample_events_are_understood(name: str) -> None:
    from pathlib import Path

    from gridlake.workflow import ExecutionContext

    event = json.loads((Path(__file__).parents[3] / f"events/{name}.json").read_text())
    assert ExecutionContext(event, stage="x", settings=Settings({})).source.ingestion_id.startswith("ing-")
