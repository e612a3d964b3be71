"""What a function sees and how its failures look: extensions lambda_environment, lambda_errors, lambda_queue."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


def test_a_function_sees_only_its_own_files_its_layers_and_the_sdk(probe):
    seen = probe.invoke("surroundings")["value"]
    assert seen["importable"] == []
    assert seen["boto3"]
    assert not [path for path in seen["path"] if "site-packages" in path]
    assert seen["path"][1].endswith("/python"), "layers come after the function's own files"
    assert "GREETING" in seen["environment"]
    assert not {"PYTHONPATH", "GATEWAY_PORT", "S3_DATA_DIR", "AUTH"} & set(seen["environment"])
    assert str(probe.aws.state) in seen["tmp"], "scratch space is the worker's own"


def test_an_exception_keeps_its_class_name_and_the_worker_lives_on(probe):
    before = probe.invoke("calls")["value"]
    error = probe.invoke("quality")["error"]
    assert (error["errorType"], error["errorMessage"]) == ("QualityError", "bad rows")
    assert error["stackTrace"]
    after = probe.invoke("calls")["value"]
    assert after["pid"] == before["pid"]
    assert after["calls"] == before["calls"] + 2


def test_an_answer_that_is_no_json_is_a_marshalling_error(probe):
    assert probe.invoke("unserialisable")["error"]["errorType"] == "Runtime.MarshalError"


def test_a_dead_process_is_an_exit_error_and_the_next_call_works(probe):
    assert probe.invoke("die")["error"]["errorType"] == "Runtime.ExitError"
    assert probe.invoke("greeting")["value"] == "hello"


def test_a_function_over_its_timeout_is_killed(probe):
    began = time.monotonic()
    error = probe.invoke("hang")["error"]
    assert error["errorType"] == "Sandbox.Timedout"
    assert 4 < time.monotonic() - began < 10


def test_a_handler_knows_the_time_it_has_left(probe):
    remaining = probe.invoke("nap")["value"]["remaining"]
    assert 3500 < remaining <= 4500


def test_a_missing_requirement_shows(probe):
    answer = probe.client("lambda").invoke(FunctionName=probe.outputs["BrokenFunctionName"])
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == "No module named 'a_library_that_nobody_declared'"


def test_two_hundred_executions_at_once_all_end(probe):
    steps, machine = probe.client("stepfunctions"), probe.outputs["StateMachineArn"]
    arns = [
        steps.start_execution(stateMachineArn=machine, input='{"do": "write:allowed/many"}')["executionArn"]
        for _ in range(200)
    ]
    deadline = time.monotonic() + 60
    for arn in arns:
        while (execution := steps.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "an execution is stuck"
            time.sleep(0.2)
        assert json.loads(execution["output"]) == {"answer": {"body": "1"}}


def test_concurrent_calls_queue_for_four_workers(probe):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: probe.invoke("nap"), range(12)))
    assert all("value" in answer for answer in answers), answers
    assert len({answer["value"]["pid"] for answer in answers}) <= 4


def test_an_async_call_that_keeps_failing_lands_in_the_dead_letter_queue(probe):
    lambda_, queue = probe.client("lambda"), probe.client("sqs")
    lambda_.invoke(
        FunctionName=probe.outputs["FunctionName"], InvocationType="Event", Payload=b'{"do": "quality"}'
    )
    answer = queue.receive_message(QueueUrl=probe.outputs["DeadLetterUrl"], WaitTimeSeconds=20)
    assert "quality" in answer["Messages"][0]["Body"]
