"""One deployed stack per session: the real templates on the local AWS with IAM enforced, a real InfluxDB, the real command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest

from gridlake_local.platform import Platform
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a run of the command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; the whole output is shown when it is none."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"not JSON (exit {self.code}):\n{self.stdout}\n{self.stderr}") from error


class Stack:
    """The deployed application, as its users and its operators see it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.status = platform.status()
        self.outputs = self.status.outputs
        self.environment = {**os.environ, **platform.environment(), "GRIDLAKE_STATE": str(platform.state)}

    def gridlake(self, *arguments: str | Path, timeout: float = 300) -> Outcome:
        """Run the command as a user does."""
        done = subprocess.run(
            [sys.executable, "-m", "gridlake_cli", *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=ROOT,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ingest(self, *files: str | Path, timeout: float = 300) -> list[dict[str, Any]]:
        """Ingest files and return their reports; every report must account for every row."""
        reports = self.gridlake("ingest", *files, "--json", timeout=timeout).json
        for report in reports:
            assert report["rows_in"] == report["rows_loaded"] + report["rows_quarantined"], report
            assert report["rows_quarantined"] == sum(entry["count"] for entry in report["quarantine"]), report
        return list(reports)

    def query(self, dataset: str, *arguments: str) -> dict[str, Any]:
        """Ask for a series through the command."""
        outcome = self.gridlake("query", dataset, *arguments, "--json")
        assert outcome.code == 0, outcome.stderr
        return dict(outcome.json)

    def api(self, tier: str = "premium") -> httpx.Client:
        """HTTP client with the key of a tier."""
        return httpx.Client(
            base_url=self.status.api_url, headers={"x-api-key": self.status.api_keys[tier]}, timeout=60
        )

    def client(self, service: str) -> Any:
        """A boto3 client of the operator."""
        return self.platform.client(service)

    def stop_influxdb(self) -> None:
        """Stop the server of the series; its data stays."""
        self.platform.influx.stop()

    def start_influxdb(self) -> None:
        """Start the server again, on the same port and data."""
        self.platform.influx.start()

    def influx(self, path: str, **request: Any) -> httpx.Response:
        """Speak to the server of the series directly, as its administrator may."""
        info = self.platform.influx.status()
        assert info is not None
        answer = httpx.post(
            f"{info.url}{path}",
            params={"db": info.database, **request.pop("params", {})},
            auth=(info.username, info.password),
            timeout=30,
            **request,
        )
        assert answer.is_success, answer.text
        return answer

    def kill_workers(self, function: str) -> int:
        """Kill the processes that run a function of this stack, as a crash would; answers how many there were."""
        server, killed = self.platform.status().pids["aws"], 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
                variables = (status.parent / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended meanwhile
            names = [v for v in variables if v.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")]
            if int(parent.split()[1]) == server and names and names[0].decode().endswith(function):
                os.kill(int(status.parent.name), signal.SIGKILL)
                killed += 1
        return killed

    @contextmanager
    def permission_denied(self, function: str, action: str) -> Iterator[None]:
        """Take a permission from the role of a function for a while."""
        functions = self.client("lambda").get_paginator("list_functions").paginate()
        roles = {
            entry["Role"].rsplit("/", 1)[-1]
            for page in functions
            for entry in page["Functions"]
            if function in entry["FunctionName"].lower()
        }
        assert roles, f"no function is called {function}"
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = self.client("iam")
        for role in roles:
            iam.put_role_policy(RoleName=role, PolicyName="taken-away", PolicyDocument=policy)
        try:
            yield
        finally:
            for role in roles:
                iam.delete_role_policy(RoleName=role, PolicyName="taken-away")

    @contextmanager
    def exhausted_key(self) -> Iterator[httpx.Client]:
        """HTTP client with a key whose plan allows one request a day."""
        gateway = self.client("apigateway")
        _, _, rest = self.status.api_url.partition("/_aws/execute-api/")
        api_id, stage, *_ = rest.split("/")
        plan = gateway.create_usage_plan(
            name="one-a-day",
            quota={"limit": 1, "period": "DAY"},
            apiStages=[{"apiId": api_id, "stage": stage}],
        )["id"]
        key = gateway.create_api_key(name="one-a-day", enabled=True)
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        try:
            with httpx.Client(base_url=self.status.api_url, headers={"x-api-key": key["value"]}) as client:
                yield client
        finally:
            gateway.delete_api_key(apiKey=key["id"])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The application, built and deployed once; state of its own unless GRIDLAKE_E2E_STATE names one to keep."""
    kept = os.environ.get("GRIDLAKE_E2E_STATE")
    platform = Platform(Path(kept) if kept else tmp_path_factory.mktemp("platform"))
    # Ports of its own: two platforms that start at the same time would both find the first free one.
    ports = {"GRIDLAKE_AWS_PORT": str(free_port()), "GRIDLAKE_INFLUX_PORT": str(free_port())}
    try:
        with mock.patch.dict(os.environ, {} if kept else ports):
            platform.up()
        yield Stack(platform)
    finally:
        if not kept:
            platform.down(purge=True)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until a condition holds, and fail with what was last seen."""

    def wait(condition: Callable[[], Any], *, seconds: float = 60, every: float = 0.5) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            seen = condition()
            if seen:
                return seen
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen within {seconds:.0f} s; last seen: {seen!r}")
            time.sleep(every)

    return wait


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real files, where this machine has it."""
    folder = Path(os.environ.get("GRIDLAKE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "expected.json").is_file():
        pytest.skip(f"the real files are not on this machine ({folder})")
    return folder
