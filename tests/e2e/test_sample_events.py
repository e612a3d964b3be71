"""Every sample event of `events/` sent to the deployed function it is for: what the function answers."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from gridlake.platform import ids

from .builders import hourly_load
from .conftest import ROOT, Stack

EVENTS = ROOT / "events"
API_STATUS = {
    "api_contracts": 200,
    "api_datasets": 200,
    "api_health": 200,
    "api_ingestions": 200,
    "api_query": 200,
    "api_uploads": 201,
    "api_verifications": 202,
}
STAGE_STATUS = {
    "ingestion_route": "small",
    "ingestion_process": "load",
    "ingestion_load": "done",
    "ingestion_record": "loaded",
}
"""In the order of the state machine: each needs what the one before left."""

KEY = "raw/ons/CARGA_ENERGIA_2023.csv"
"""Key in the events of the stages."""


def invoke(stack: Stack, folder: str, text: str) -> dict[str, Any]:
    """Answer of the alias `live` of a function."""
    functions = stack.client("lambda").get_paginator("list_functions").paginate()
    ending = f"-{folder.replace('_', '-')}"
    [name] = [
        entry["FunctionName"]
        for page in functions
        for entry in page["Functions"]
        if entry["FunctionName"].endswith(ending)
    ]
    answer = stack.client("lambda").invoke(FunctionName=f"{name}:live", Payload=text.encode())
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return dict(payload)


def sample(folder: str) -> str:
    return (EVENTS / f"{folder}.json").read_text(encoding="utf-8")


def test_every_sample_event_is_tried_here() -> None:
    tried = {*API_STATUS, *STAGE_STATUS, "ingestion_fail", "verification"}
    assert {path.stem for path in EVENTS.glob("*.json")} == tried
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == tried


@pytest.mark.parametrize("folder", API_STATUS)
def test_an_api_function_answers_its_sample(stack: Stack, folder: str) -> None:
    answer = invoke(stack, folder, sample(folder))
    assert answer["statusCode"] == API_STATUS[folder], answer["body"]
    assert answer["body"]


class Prepared:
    """A file in the raw bucket, and the sample events with its names in place of theirs."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.bucket = stack.outputs["RawBucketName"]
        self.work = stack.outputs["WorkBucketName"]
        self.key = f"raw/ons/{file.name}"
        self.size = file.stat().st_size
        put = stack.client("s3").put_object(Bucket=self.bucket, Key=self.key, Body=file.read_bytes())
        self.version, self.etag = put["VersionId"], put["ETag"].strip('"')
        self.ingestion_id = ids.ingestion_id(self.bucket, self.key, self.version)
        self.execution = f"by-hand-{uuid.uuid4().hex[:8]}"

    def event(self, folder: str) -> str:
        known = json.loads(sample("ingestion_process"))["source"]
        assert known["key"] == KEY
        names = {
            KEY: self.key,
            "gridlake-local-raw": self.bucket,
            "gridlake-local-work": self.work,
            "0b1c2d3e": self.execution,
            known["version_id"]: self.version,
            known["etag"]: self.etag,
            f'"size": {known["size"]}': f'"size": {self.size}',
            known["ingestion_id"]: self.ingestion_id,
            known["source_id"]: ids.source_id(self.key),
        }
        text = sample(folder)
        for name, ours in names.items():
            text = text.replace(name, ours)
        return text


@pytest.fixture(scope="module")
def prepared(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    name = f"CURVA_CARGA_{uuid.uuid4().hex[:8]}.csv"
    return Prepared(stack, hourly_load(tmp_path_factory.mktemp("events") / name, start="2043-05-01"))


@pytest.fixture(scope="module")
def finished(stack: Stack, prepared: Prepared) -> dict[str, Any]:
    """The record of the prepared file, once the state machine is through with it by itself."""
    deadline = time.monotonic() + 60
    with stack.api() as api:
        while True:
            answer = api.get(f"/ingestions/{prepared.ingestion_id}")
            if answer.status_code == 200 and answer.json()["status"] not in {"received", "running"}:
                return dict(answer.json())
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.5)


def test_an_event_delivered_again_changes_nothing(
    stack: Stack, prepared: Prepared, finished: dict[str, Any]
) -> None:
    assert finished["status"] == "loaded", finished
    answer = invoke(stack, "ingestion_route", prepared.event("ingestion_route"))
    assert answer["stages"]["route"]["status"] == "duplicate"


def test_the_stages_take_their_samples_one_after_the_other(
    stack: Stack, prepared: Prepared, finished: dict[str, Any]
) -> None:
    for folder, status in STAGE_STATUS.items():
        text = prepared.event(folder)
        if folder == "ingestion_route":  # an execution that somebody asked for does the work again
            text = text.replace('"aws.s3"', '"gridlake.redrive"')
        stage = folder.removeprefix("ingestion_")
        answer = invoke(stack, folder, text)
        assert answer["stages"][stage]["status"] == status, (folder, answer)
        output = answer["stages"][stage]["output"]
        assert output == f"s3://{prepared.work}/executions/{prepared.execution}/{stage}/output.json"
    with stack.api() as api:
        record = api.get(f"/ingestions/{prepared.ingestion_id}").json()
    assert (record["status"], record["rows_in"], record["rows_loaded"]) == ("loaded", 96, 96)
    assert record["attempts"] == finished["attempts"] + 1


def test_a_failure_is_recorded_from_its_sample(
    stack: Stack, prepared: Prepared, finished: dict[str, Any]
) -> None:
    again = Prepared.__new__(Prepared)
    again.__dict__ = prepared.__dict__ | {"execution": f"by-hand-{uuid.uuid4().hex[:8]}"}
    route = again.event("ingestion_route").replace('"aws.s3"', '"gridlake.redrive"')
    assert invoke(stack, "ingestion_route", route)["stages"]["route"]["status"] == "small"
    answer = invoke(stack, "ingestion_fail", again.event("ingestion_fail"))
    assert answer["error"]["code"] == "truncated_gzip"
    with stack.api() as api:
        record = api.get(f"/ingestions/{prepared.ingestion_id}").json()
    assert (record["status"], record["error"]["code"]) == ("failed", "truncated_gzip")


def test_a_verification_answers_its_sample(stack: Stack) -> None:
    answer = invoke(stack, "verification", sample("verification"))
    assert answer["stages"]["verify"]["status"] in {"equal", "different"}
