"""Gridlake on this machine: one state folder, one local AWS, one InfluxDB, one deployed application."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridlake_local import ports
from gridlake_local.aws import CHECKOUT, LocalAws
from gridlake_local.deployment import Deployment, DeploymentError
from gridlake_local.influx import InfluxServer

TIERS = {"basic": "BasicApiKeyId", "standard": "StandardApiKeyId", "premium": "PremiumApiKeyId"}
INFLUX_PORT = 8086
_API_URL = re.compile(r"https?://(?P<id>[^./]+)\.execute-api\.[^/]+/(?P<stage>[^/]+)")

Progress = Callable[[str], None]


class NotRunningError(RuntimeError):
    """The platform of this state folder is not up."""


@dataclass(frozen=True, slots=True)
class Status:
    """What runs where.

    Attributes
    ----------
    running
        Local AWS and InfluxDB answer and the application is deployed.
    api_keys
        Value of the API key by tier: basic, standard, premium.
    outputs
        Outputs of the root stack.
    pids, ports
        By server: ``aws`` and ``influx``.
    """

    running: bool
    aws_endpoint: str | None = None
    influx_url: str | None = None
    influx_version: str | None = None
    api_url: str | None = None
    api_keys: dict[str, str] = field(default_factory=dict, repr=False)
    outputs: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)


class Platform:
    """The application and its servers on this machine.

    Parameters
    ----------
    state
        Folder for everything it keeps; default ``$GRIDLAKE_STATE``, else ``.gridlake`` in the checkout.
    checkout
        Folder of the application.
    """

    def __init__(self, state: Path | None = None, *, checkout: Path = CHECKOUT) -> None:
        self.state = Path(state or os.environ.get("GRIDLAKE_STATE") or checkout / ".gridlake").resolve()
        self.aws = LocalAws(self.state)
        self.deployment = Deployment(checkout, self.state)

    @property
    def influx(self) -> InfluxServer:
        """The InfluxDB of this state folder, running or not."""
        recorded = self._read("influx.port")
        fixed = os.environ.get("GRIDLAKE_INFLUX_PORT", "")
        default = int(fixed) if fixed.isdigit() else INFLUX_PORT
        return InfluxServer(self.state / "influx", int(recorded) if recorded else default)

    def up(self, *, build: bool = True, progress: Progress | None = None) -> Status:
        """Start what does not run and deploy what changed.

        Parameters
        ----------
        build
            False deploys what was built before.
        progress
            Called with a sentence before each step that takes time.

        Raises
        ------
        LocalAwsError, InfluxStartError, DeploymentError, PortTakenError
            A step failed; the message names its log and the next step.
        """
        say = progress or (lambda _sentence: None)
        with self._locked():
            overrides = self._start_influx(say)
            if not (self.aws.process() and self.aws.answers()):
                say("starting the local AWS")
            self.aws.start()
            fingerprint = self.deployment.fingerprint({**overrides, "endpoint": self.aws.endpoint})
            deployed = self._deployed()
            if deployed.get("fingerprint") != fingerprint or not self._stack_outputs():
                if build:
                    self._build(say)
                say("deploying the application (sam deploy)")
                self.deployment.deploy(self._sam_environment(), overrides)
                self._record(fingerprint)
            return self.status()

    def down(self, purge: bool = False) -> None:
        """Stop the servers; with ``purge`` forget their data and everything else in the state folder."""
        if not self.state.exists():
            return
        with self._locked():
            self.aws.stop()
            self.influx.stop()
        if purge:
            shutil.rmtree(self.state)

    def status(self) -> Status:
        """What runs, from the state folder and the servers themselves."""
        aws_process = self.aws.process()
        aws_runs = bool(aws_process) and self.aws.answers()
        influx = self.influx.status()
        deployed = self._deployed()
        pids: dict[str, int] = {"aws": aws_process.pid} if aws_process and aws_runs else {}
        used: dict[str, int] = {"aws": self.aws.port} if aws_runs and self.aws.port else {}
        if influx:
            used["influx"] = self.influx.port
            if influx.pid:
                pids["influx"] = influx.pid
        return Status(
            running=aws_runs and influx is not None and bool(deployed),
            aws_endpoint=self.aws.endpoint if aws_runs else None,
            influx_url=influx.url if influx else None,
            influx_version=influx.version if influx else None,
            api_url=deployed.get("api_url"),
            api_keys=deployed.get("api_keys", {}),
            outputs=deployed.get("outputs", {}),
            pids=pids,
            ports=used,
        )

    def environment(self) -> dict[str, str]:
        """Variables for clients of this platform: boto3 and the AWS CLI as its administrator, the API's URL and premium key.

        Raises
        ------
        NotRunningError
            The local AWS of this state folder is not up.
        """
        if not self.aws.process():
            raise NotRunningError(f"the platform in {self.state} is not running; start it with `gridlake up`")
        deployed = self._deployed()
        own = {"GRIDLAKE_STATE": str(self.state), **self.aws.client_environment()}
        if deployed:
            own |= {
                "GRIDLAKE_API_URL": deployed["api_url"],
                "GRIDLAKE_API_KEY": deployed["api_keys"].get("premium", ""),
            }
        return own

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS as its administrator."""
        import boto3

        settings = self.environment()
        session: Any = boto3.session.Session(
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=settings["AWS_REGION"],
        )
        return session.client(service, endpoint_url=settings["AWS_ENDPOINT_URL"])

    def _start_influx(self, say: Progress) -> dict[str, str]:
        """Start InfluxDB; the template's parameters that point to it."""
        server = self.influx
        info = server.status()
        if info is None:
            say("starting InfluxDB")
            with ports.claiming():
                if not os.environ.get("INFLUXDB_URL"):
                    recorded = self._read("influx.port")
                    port = ports.choose(
                        "GRIDLAKE_INFLUX_PORT", INFLUX_PORT, remembered=int(recorded) if recorded else None
                    )
                    (self.state / "influx.port").write_text(str(port))
                info = self.influx.start()
        return {
            "InfluxUrl": info.url,
            "InfluxVersion": info.version.lstrip("v").split(".")[0] if info.version[:1] in "v123" else "1",
            "InfluxDatabase": info.database,
            "InfluxUsername": info.username,
            "InfluxPassword": info.password,
        }

    def _build(self, say: Progress) -> None:
        """Build unless exactly these sources are built already."""
        stamp = self.state / "build.sha256"
        sources = self.deployment.fingerprint({})
        if (
            stamp.exists()
            and stamp.read_text() == sources
            and (self.state / "build" / "template.yaml").exists()
        ):
            return
        say("building the application (sam build)")
        stamp.unlink(missing_ok=True)
        self.deployment.build(self._sam_environment())
        stamp.write_text(sources)

    def _sam_environment(self) -> dict[str, str]:
        binaries = CHECKOUT / ".venv" / "bin"
        # SAM finds python3.13 on PATH; a profile of the developer's account must not lead it elsewhere.
        inherited = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("AWS_") and k not in {"VIRTUAL_ENV", "PYTHONHOME"}
        }
        return {
            **inherited,
            **self.aws.client_environment(),
            "PATH": f"{binaries}:{os.environ.get('PATH', '')}",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "1",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
        }

    def _record(self, fingerprint: str) -> None:
        """Remember what was deployed, in a file for its owner only."""
        outputs = self._stack_outputs()
        if not outputs:
            raise DeploymentError(
                f"the stack {self.deployment.stack} has no outputs after its deployment; "
                f"see {self.state / 'logs' / 'sam-deploy.log'} and {self.aws.log}"
            )
        gateway = self.client("apigateway")
        keys = {
            tier: gateway.get_api_key(apiKey=outputs[name], includeValue=True)["value"]
            for tier, name in TIERS.items()
            if name in outputs
        }
        document = {
            "fingerprint": fingerprint,
            "deployed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "aws_endpoint": self.aws.endpoint,
            "api_url": self._local_api_url(outputs.get("ApiUrl", "")),
            "api_keys": keys,
            "outputs": outputs,
        }
        aside = self.state / "platform.json.new"
        aside.unlink(missing_ok=True)
        aside.touch(mode=0o600)
        aside.write_text(json.dumps(document, indent=2))
        aside.replace(self.state / "platform.json")

    def _local_api_url(self, url: str) -> str:
        """The API at the local endpoint, whose host name would only resolve in AWS."""
        match = _API_URL.match(url)
        return f"{self.aws.endpoint}/_aws/execute-api/{match['id']}/{match['stage']}" if match else url

    def _stack_outputs(self) -> dict[str, str]:
        """Outputs of the root stack; empty where it is not deployed."""
        from botocore.exceptions import ClientError

        try:
            stack = self.client("cloudformation").describe_stacks(StackName=self.deployment.stack)["Stacks"][
                0
            ]
        except ClientError:
            return {}
        if not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
            return {}
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _deployed(self) -> dict[str, Any]:
        text = self._read("platform.json")
        return dict(json.loads(text)) if text else {}

    def _read(self, name: str) -> str | None:
        try:
            return (self.state / name).read_text()
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time per state folder."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


__all__ = ["NotRunningError", "Platform", "Status"]
