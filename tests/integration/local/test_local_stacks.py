"""Updates and restarts: extensions nested_stacks and checkpoint."""

from __future__ import annotations

import os
import signal
import time

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


def test_an_update_keeps_what_did_not_change(probe):
    before = probe.outputs
    probe.deploy("Greeting=bonjour")
    after = probe.outputs
    assert {k: v for k, v in after.items() if k != "FunctionVersion"} == {
        k: v for k, v in before.items() if k != "FunctionVersion"
    }
    assert after["FunctionVersion"] == before["FunctionVersion"], (
        "as in AWS, a parameter alone publishes nothing"
    )
    assert probe.invoke("greeting", version="$LATEST")["value"] == "bonjour"
    assert probe.invoke("greeting")["value"] == "hello"
    probe.deploy("Greeting=hello")
    assert probe.invoke("write:allowed/after-update")["value"] == {"body": "1"}


def test_changed_code_publishes_a_new_version(probe):
    before = probe.outputs["FunctionVersion"]
    app = probe.source / "function" / "app.py"
    app.write_text(app.read_text() + "\n# changed\n")
    probe.deploy()
    assert probe.outputs["FunctionVersion"] != before
    assert probe.invoke("greeting")["value"] == "hello"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everything_is_still_there_after_a_restart(probe, end):
    s3, bucket = probe.client("s3"), probe.outputs["BucketName"]
    version = s3.put_object(Bucket=bucket, Key=f"kept/{end}", Body=end.encode())["VersionId"]
    before = probe.outputs
    if end == "kill":
        time.sleep(4)  # more than one checkpoint
        process = probe.aws.process()
        os.killpg(process.pid, signal.SIGKILL)
    else:
        probe.aws.stop()
    probe.aws.start()
    assert probe.outputs == before
    kept = s3.get_object(Bucket=bucket, Key=f"kept/{end}", VersionId=version)
    assert kept["Body"].read() == end.encode()
    assert probe.invoke("write:allowed/again")["value"] == {"body": "1"}
    assert probe.run("StateMachineArn", {"do": "greeting"})["output"]["answer"] == "hello"
