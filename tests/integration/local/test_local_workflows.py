"""Errors, retries and context of state machines: extension state_machine_errors."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


def test_catch_by_class_name(probe):
    output = probe.run("StateMachineArn", {"do": "quality"})["output"]
    assert output["caught"] == "quality"
    assert json.loads(output["error"]["Cause"])["errorMessage"] == "bad rows"


def test_retry_by_class_name_within_its_greatest_delay(probe):
    before = probe.invoke("calls")["value"]["calls"]
    execution = probe.run("StateMachineArn", {"do": "transient"})
    assert execution["output"]["caught"] == "other"
    assert probe.invoke("calls")["value"]["calls"] == before + 4, "one call, two retries, this question"
    took = execution["stopDate"] - execution["startDate"]
    assert took.total_seconds() < 8, "a BackoffRate of 10 without MaxDelaySeconds would wait 11 s"


def test_the_context_object_names_the_execution(probe):
    execution = probe.run("StateMachineArn", {"do": "execution"})
    seen = execution["output"]["answer"]
    assert seen["id"] == execution["executionArn"]
    assert seen["name"] == execution["name"]
    assert seen["started_at"].startswith("20")
    assert seen["started_at"].endswith("Z")


def test_an_event_that_can_not_start_an_execution_lands_in_the_dead_letter_queue(probe):
    steps, queue, arn = probe.client("stepfunctions"), probe.client("sqs"), probe.outputs["UploadMachineArn"]
    machine = steps.describe_state_machine(stateMachineArn=arn)
    steps.delete_state_machine(stateMachineArn=arn)
    try:
        probe.client("s3").put_object(Bucket=probe.outputs["BucketName"], Key="upload/lost", Body=b"x")
        answer = queue.receive_message(
            QueueUrl=probe.outputs["LostUploadsUrl"], WaitTimeSeconds=15, MessageAttributeNames=["All"]
        )
        message = answer["Messages"][0]
        assert json.loads(message["Body"])["detail"]["object"]["key"] == "upload/lost"
        assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == arn
    finally:
        steps.create_state_machine(
            name=machine["name"], definition=machine["definition"], roleArn=machine["roleArn"]
        )
