"""Least privilege is enforced: AUTH with the roles of functions and state machines, extension transport."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.xdist_group("local-aws")


def test_a_function_may_do_what_its_role_allows_over_loopback(probe):
    assert probe.invoke("write:allowed/x")["value"] == {"body": "1"}


def test_a_function_may_not_do_more(probe):
    assert probe.invoke("write:elsewhere/x")["value"] == {"code": "AccessDenied"}
    assert probe.invoke("read_table")["value"] == {"code": "AccessDeniedException"}


def test_a_stranger_gets_nothing(probe):
    stranger = boto3.client(
        "s3",
        endpoint_url=probe.aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="no",
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


def test_a_state_machine_may_call_only_the_functions_of_its_role(probe):
    execution = probe.run("ForbiddenMachineArn", {"do": "greeting"})
    assert execution["output"]["caught"] == "other"
    assert execution["output"]["error"]["Error"] == "Lambda.AWSLambdaException"
    assert "not authorized to perform: lambda:InvokeFunction" in execution["output"]["error"]["Cause"]


def test_a_presigned_upload_answers_its_version_and_starts_one_execution(probe):
    steps, machine = probe.client("stepfunctions"), probe.outputs["UploadMachineArn"]
    url = probe.client("s3", config=Config(signature_version="s3v4")).generate_presigned_url(
        "put_object", Params={"Bucket": probe.outputs["BucketName"], "Key": "upload/a b+ção.csv"}
    )
    with urllib.request.urlopen(urllib.request.Request(url, b"x", method="PUT"), timeout=10) as answer:
        version, etag = answer.headers["x-amz-version-id"], answer.headers["ETag"].strip('"')
    deadline = time.monotonic() + 15
    while not (found := steps.list_executions(stateMachineArn=machine)["executions"]):
        assert time.monotonic() < deadline, "the upload started nothing"
        time.sleep(0.1)
    assert len(found) == 1
    event = json.loads(steps.describe_execution(executionArn=found[0]["executionArn"])["input"])
    uploaded = event["detail"]["object"]
    assert (uploaded["key"], uploaded["version-id"], uploaded["etag"], uploaded["size"]) == (
        "upload/a b+ção.csv",
        version,
        etag,
        1,
    )
    assert uploaded["sequencer"]


def test_a_presigned_upload_by_a_role_without_the_permission_is_denied(probe):
    def put(key):
        url = probe.invoke(f"presign:{key}")["value"]
        return urllib.request.urlopen(urllib.request.Request(url, b"x", method="PUT"), timeout=10)

    with put("allowed/y") as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        put("elsewhere/y")
