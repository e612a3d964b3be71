"""One local AWS per session with a tiny nested SAM application on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from gridlake_local.aws import LocalAws
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
APP = Path(__file__).with_name("app")
STACK = "probe"


@dataclass(frozen=True)
class Probe:
    """The deployed application of these tests."""

    aws: LocalAws
    source: Path

    def client(self, service: str, **extra: Any) -> Any:
        settings = self.aws.client_environment()
        return boto3.client(
            service,
            endpoint_url=settings["AWS_ENDPOINT_URL"],
            region_name=settings["AWS_REGION"],
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            **extra,
        )

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def deploy(self, *overrides: str) -> None:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            **self.aws.client_environment(),
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
        }
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
        command = ["sam", "deploy", "--stack-name", STACK, "--resolve-s3", "--capabilities", *capabilities]
        command += ["--no-confirm-changeset", "--no-fail-on-empty-changeset"]
        command += ["--parameter-overrides", *overrides] if overrides else []
        done = subprocess.run(
            command, cwd=self.source, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def invoke(self, do: str, version: str = "live", **more: Any) -> dict[str, Any]:
        """Run a probe; the answer has ``value`` or ``error``, ``error_type``."""
        answer = self.client("lambda").invoke(
            FunctionName=f"{self.outputs['FunctionName']}:{version}", Payload=json.dumps({"do": do, **more})
        )
        value = json.loads(answer["Payload"].read() or b"null")
        return {"error": value} if "FunctionError" in answer else {"value": value}

    def run(self, machine: str, document: dict[str, Any], seconds: float = 30) -> dict[str, Any]:
        """Run an execution of the state machine behind an output and return its description."""
        steps = self.client("stepfunctions")
        arn = steps.start_execution(stateMachineArn=self.outputs[machine], input=json.dumps(document))[
            "executionArn"
        ]
        deadline = time.monotonic() + seconds
        while (execution := steps.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "the execution does not end"
            time.sleep(0.1)
        return {**execution, "output": json.loads(execution.get("output") or "null")}

    def post(
        self, path: str, body: str, key: str | None, *, media_type: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Post to the API with an API key."""
        url = f"{self.aws.endpoint}/_aws/execute-api/{self.outputs['RestApiId']}/v1{path}"
        headers = {"content-type": media_type, **({"x-api-key": key} if key else {})}
        request = urllib.request.Request(url, body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The local AWS with the application deployed."""
    os.environ.setdefault("GRIDLAKE_CHECKPOINT_SECONDS", "2")
    base = tmp_path_factory.mktemp("local-aws")
    source = Path(shutil.copytree(APP, base / "app"))
    aws = LocalAws(base / "state")
    try:
        with mock.patch.dict(os.environ, {"GRIDLAKE_AWS_PORT": str(free_port())}):
            aws.start()
        deployed = Probe(aws, source)
        deployed.deploy()
        yield deployed
    finally:
        aws.stop()
