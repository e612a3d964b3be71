"""What `@stage` makes of a function, and what the state machine sees of its errors."""

from __future__ import annotations

import errno
import io
import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gridlake.platform.errors import (
    GridlakeError,
    PermanentError,
    QualityError,
    TransientError,
    UnreadableFileError,
)
from gridlake.platform.observability import logger
from gridlake.timeseries.errors import InfluxRefusedError, InfluxUnavailableError
from gridlake.workflow import ExecutionContext, StageResult, stage
from gridlake.workflow.context import Source
from gridlake.workflow.failure import parse
from tests.unit.aws_environment import BUCKETS, Application, LambdaContext, application


@pytest.fixture
def app() -> Iterator[Application]:
    with application() as made:
        yield made


def cause_of(error: BaseException) -> dict[str, str]:
    """What Step Functions gives to a Catch when a Lambda function raised this error."""
    reported = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return {"Error": type(error).__name__, "Cause": json.dumps(reported)}


def raising(error: Exception) -> Any:
    @stage("process")
    def process(ctx: ExecutionContext) -> StageResult:
        raise error

    return process


def test_output_goes_to_the_path_of_the_convention_and_only_a_pointer_into_the_payload(
    app: Application,
) -> None:
    @stage("route")
    def route(ctx: ExecutionContext) -> StageResult:
        return StageResult("small", {"rows": list(range(10_000))}, source=ctx.source)

    payload = route(
        app.begin(app.upload(b"x", "raw/ons/é +.csv"), "run-1"), LambdaContext(), settings=app.settings
    )
    assert payload["stages"] == {
        "route": {"status": "small", "output": f"s3://{BUCKETS['work']}/executions/run-1/route/output.json"}
    }
    assert payload["source"]["key"] == "raw/ons/é +.csv"
    assert "event" not in payload
    assert len(json.dumps(payload)) < 2_000
    assert app.json(payload["stages"]["route"]["output"])["rows"][-1] == 9_999


def test_next_stage_reads_the_output_and_a_repeated_stage_replaces_it(app: Application) -> None:
    runs = iter((1, 2))

    @stage("route")
    def route(ctx: ExecutionContext) -> StageResult:
        return StageResult("small", {"run": next(runs)}, source=ctx.source)

    seen: list[Any] = []

    @stage("process")
    def process(ctx: ExecutionContext) -> StageResult:
        seen.append(ctx.output_of("route")["run"])
        return StageResult("record", {"remaining": ctx.remaining_ms()})

    first = app.begin(app.upload(b"x"))
    route(first, settings=app.settings)
    payload = process(route(first, settings=app.settings), LambdaContext(1234), settings=app.settings)
    assert seen == [2]
    assert list(payload["stages"]) == ["route", "process"]
    assert app.json(payload["stages"]["process"]["output"]) == {"remaining": 1234}


def test_a_stage_that_has_not_run_is_named(app: Application) -> None:
    @stage("load")
    def load(ctx: ExecutionContext) -> StageResult:
        return StageResult("done", ctx.output_of("process"))

    with pytest.raises(PermanentError) as caught:
        load(app.begin(app.upload(b"x")), settings=app.settings)
    assert parse(cause_of(caught.value))["code"] == "stage_not_run"


def test_payload_beyond_the_limit_is_refused(app: Application) -> None:
    payload = app.begin(app.upload(b"x")) | {"request": {"text": "x" * 40_000}}

    @stage("route")
    def route(ctx: ExecutionContext) -> StageResult:
        return StageResult("small", {}, source=ctx.source)

    with pytest.raises(PermanentError) as caught:
        route(payload, settings=app.settings)
    assert parse(cause_of(caught.value))["code"] == "payload_too_large"


@pytest.mark.parametrize(
    "payload", [{}, {"execution": {}}, {"execution": {"name": "x"}, "event": {"detail": {}}}]
)
def test_malformed_payload_has_a_code(app: Application, payload: dict[str, Any]) -> None:
    @stage("route")
    def route(ctx: ExecutionContext) -> StageResult:
        return StageResult("small", {}, source=ctx.source)

    with pytest.raises(PermanentError) as caught:
        route(payload, settings=app.settings)
    assert parse(cause_of(caught.value))["code"] == "invalid_event"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (
            UnreadableFileError("it is empty", code="empty_file", hint="upload it again"),
            "UnreadableFileError",
        ),
        (QualityError("too many", rows_in=5, quarantine={"out_of_range": 5}), "QualityError"),
        (TransientError("later"), "TransientError"),
        (InfluxUnavailableError("down", retry_after=3.0), "TransientError"),
        (InfluxRefusedError("no", http_status=400, reason="bad"), "InfluxRefusedError"),
    ],
)
def test_class_and_code_cross_the_lambda_boundary(app: Application, error: GridlakeError, name: str) -> None:
    before = error.as_dict()
    with pytest.raises(GridlakeError) as caught:
        raising(error)(app.begin(app.upload(b"x")), settings=app.settings)
    seen = cause_of(caught.value)
    assert seen["Error"] == name
    parsed = parse(seen)
    assert (parsed["code"], parsed["message"], parsed.get("hint")) == (
        before["code"],
        before["message"],
        before.get("hint"),
    )


def test_row_counts_cross_the_boundary_and_endless_details_do_not(app: Application) -> None:
    error = QualityError("too many", rows_in=5, quarantine={"out_of_range": 5})
    with pytest.raises(GridlakeError) as caught:
        raising(error)(app.begin(app.upload(b"x")), settings=app.settings)
    assert parse(cause_of(caught.value))["details"] == {"rows_in": 5, "quarantine": {"out_of_range": 5}}
    long = QualityError("m" * 100_000, lines=["x" * 100] * 1_000)
    with pytest.raises(GridlakeError) as caught:
        raising(long)(app.begin(app.upload(b"x")), settings=app.settings)
    assert len(cause_of(caught.value)["Cause"]) < 32_768


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (MemoryError(), "PermanentError", "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "PermanentError", "scratch_full"),
        (ZeroDivisionError("division by zero"), "GridlakeError", "internal_error"),
        (
            ClientError(
                {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "PutObject"
            ),
            "TransientError",
            "aws_unavailable",
        ),
        (
            ClientError(
                {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "PutObject"
            ),
            "PermanentError",
            "access_denied",
        ),
    ],
)
def test_foreign_errors_get_a_class_and_a_code(
    app: Application, error: Exception, name: str, code: str
) -> None:
    with pytest.raises(GridlakeError) as caught:
        raising(error)(app.begin(app.upload(b"x")), settings=app.settings)
    assert (type(caught.value).__name__, parse(cause_of(caught.value))["code"]) == (name, code)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (
            {
                "Error": "Sandbox.Timedout",
                "Cause": '{"errorMessage": "RequestId: 1 Error: Task timed out after 3.00 seconds"}',
            },
            "function_timed_out",
        ),
        (
            {
                "Error": "Lambda.Unknown",
                "Cause": "2026-11-20T12:00:00Z 1 Task timed out after 900.10 seconds",
            },
            "function_timed_out",
        ),
        ({"Error": "States.Timeout", "Cause": ""}, "function_timed_out"),
        (
            {
                "Error": "Runtime.ExitError",
                "Cause": '{"errorType": "Runtime.ExitError", "errorMessage": "Error: Runtime exited with error: signal: killed"}',
            },
            "out_of_memory",
        ),
        ({"Error": "Runtime.OutOfMemory", "Cause": "x"}, "out_of_memory"),
        (
            {"Error": "Runtime.ExitError", "Cause": "Runtime exited without providing a reason"},
            "function_killed",
        ),
        ({"Error": "Lambda.TooManyRequestsException", "Cause": "Rate Exceeded."}, "throttled"),
        ({"Error": "Runtime.ImportModuleError", "Cause": "No module named 'pyarrow'"}, "broken_deployment"),
        ({"Error": "States.Permissions", "Cause": "not authorized"}, "access_denied"),
        ({"Error": "Lambda.ServiceException", "Cause": ""}, "function_unavailable"),
        ({"Error": "States.DataLimitExceeded", "Cause": ""}, "payload_too_large"),
        ({"Error": "ValueError", "Cause": "[1, 2]"}, "internal_error"),
        ({}, "internal_error"),
    ],
)
def test_failures_without_a_code_of_ours_get_one(failure: dict[str, str], code: str) -> None:
    parsed = parse(failure)
    assert parsed["code"] == code
    assert parsed["message"]
    assert parsed["hint"]


def test_a_parsed_error_stays_as_it_is() -> None:
    error = {"code": "empty_file", "message": "it is empty"}
    assert parse(error) == error


def test_a_bucket_without_versions_gives_an_unversioned_source() -> None:
    source = Source.from_event({"detail": {"bucket": {"name": "b"}, "object": {"key": "k", "size": 1}}})
    assert (source.version_id, source.ref.version_id) == ("null", None)


def test_time_outside_lambda_is_bounded(app: Application) -> None:
    ctx = ExecutionContext(app.begin({}), stage="x", settings=app.settings)
    assert 0 < ctx.remaining_ms() <= 15 * 60 * 1000


def test_log_lines_carry_the_ingestion_and_no_rows(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", printed)
    event = app.begin(app.upload(b"x"), "run-7")
    with pytest.raises(GridlakeError):
        raising(UnreadableFileError("it is empty", code="empty_file"))(event, settings=app.settings)
    line = json.loads(printed.getvalue())
    assert (line["stage"], line["execution"], line["code"]) == ("process", "run-7", "empty_file")
    assert line["ingestion_id"].startswith("ing-")
