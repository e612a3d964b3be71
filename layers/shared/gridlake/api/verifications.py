"""Comparisons of the lake with InfluxDB: starting them, reading their result."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.api.http import only, optional_text
from gridlake.platform.clients import client
from gridlake.platform.errors import InvalidRequestError, NotFoundError
from gridlake.questions.times import parse_instant

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings

_IDENTIFIER = re.compile(r"ver-[0-9a-f]{16}")


def start(settings: Settings, body: Mapping[str, Any]) -> dict[str, Any]:
    """Start a comparison.

    Parameters
    ----------
    settings
        Where the contracts and the state machine are.
    body
        `dataset` (every series when absent), `start`, `end` (half-open; everything when absent).

    Raises
    ------
    InvalidRequestError, NotFoundError
        A name is unknown, an instant malformed, the range empty, or the dataset unknown.
    """
    only(body, ("dataset", "start", "end"))
    dataset = optional_text(body, "dataset", maximum=128)
    zone = "UTC"
    if dataset is not None:
        contract = services.contract(settings, dataset)
        if contract.time is None:
            raise InvalidRequestError(
                f"{dataset} is a register: it has no series to compare",
                code="not_a_series",
                pointer="/dataset",
            )
        zone = contract.time.zone
    bounds = {
        name: parse_instant(text, zone, pointer=f"/{name}")
        for name in ("start", "end")
        if (text := optional_text(body, name, maximum=40)) is not None
    }
    if len(bounds) == 2 and bounds["start"] >= bounds["end"]:
        raise InvalidRequestError("end must be after start", pointer="/end")
    request = {"dataset": dataset, "start": None, "end": None} | {
        name: instant.isoformat() for name, instant in bounds.items()
    }
    identifier = f"ver-{secrets.token_hex(8)}"
    started = client("stepfunctions").start_execution(
        stateMachineArn=settings.verification_state_machine_arn,
        name=identifier,
        input=json.dumps({"request": request}),
    )
    return {
        "verification_id": identifier,
        "status": "running",
        "started_at": _instant(started.get("startDate")),
        "request": request,
    }


def one(settings: Settings, verification_id: str) -> dict[str, Any]:
    """State and, once finished, result of a comparison.

    Raises
    ------
    NotFoundError
        There is none of that identifier, or its result has expired.
    """
    unknown = NotFoundError(
        f"there is no verification {verification_id[:64]!r}",
        code="unknown_verification",
        hint="POST /verifications starts one and answers its identifier",
    )
    if not _IDENTIFIER.fullmatch(verification_id):
        raise unknown
    steps = client("stepfunctions")
    arn = settings.verification_state_machine_arn.replace(":stateMachine:", ":execution:")
    try:
        execution = steps.describe_execution(executionArn=f"{arn}:{verification_id}")
    except steps.exceptions.ExecutionDoesNotExist as error:
        raise unknown from error
    answer: dict[str, Any] = {
        "verification_id": verification_id,
        "status": {"RUNNING": "running", "SUCCEEDED": "finished"}.get(execution["status"], "failed"),
        "started_at": _instant(execution.get("startDate")),
        "finished_at": _instant(execution.get("stopDate")),
        "request": json.loads(execution.get("input") or "{}").get("request", {}),
    }
    if answer["status"] == "finished":
        answer["result"] = _output(settings, verification_id, execution)
    elif answer["status"] == "failed":
        answer["error"] = {
            "code": "verification_failed",
            "message": "the comparison did not finish",
            "hint": "start it again; the log of the execution tells why",
        }
    return answer


def _output(settings: Settings, identifier: str, execution: Mapping[str, Any]) -> dict[str, Any]:
    """What the stage `verify` wrote, found through the pointer in the execution's output."""
    state = json.loads(execution.get("output") or "{}")
    pointer = str(state.get("stages", {}).get("verify", {}).get("output", ""))
    prefix = f"s3://{settings.work_bucket}/"
    key = (
        pointer.removeprefix(prefix)
        if pointer.startswith(prefix)
        else f"executions/{identifier}/verify/output.json"
    )
    s3 = client("s3")
    try:
        body = s3.get_object(Bucket=settings.work_bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise NotFoundError(
            f"the result of {identifier} is no longer kept",
            code="verification_expired",
            hint="start the verification again: `gridlake verify` (POST /verifications)",
        ) from error
    return dict(json.loads(body))


def _instant(moment: Any) -> str | None:
    return moment.isoformat() if moment is not None else None
