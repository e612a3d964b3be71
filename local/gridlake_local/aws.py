"""The local AWS server: start, stop, credentials, environment of its clients."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import urllib3

from gridlake_local import ports, processes

CHECKOUT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 60.0


class LocalAwsError(RuntimeError):
    """The local AWS did not start; the message has the end of its log and what to do next."""


@dataclass(frozen=True, slots=True)
class LocalAws:
    """MiniStack with our extensions on 127.0.0.1, all its files under one folder.

    Parameters
    ----------
    state
        Folder of this server; made where missing, readable by its owner only.
    persist
        Keep buckets, tables and stacks over a restart.
    """

    state: Path
    persist: bool = True

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.state / "logs" / "aws.log"

    @property
    def record(self) -> Path:
        """The file that says which process this is."""
        return self.state / "aws.pid.json"

    @property
    def port(self) -> int | None:
        """The port of this state folder, running or not; None before the first start."""
        path = self.state / "aws.port"
        return int(path.read_text()) if path.exists() else None

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def process(self) -> processes.Process | None:
        """The running server, or None."""
        return processes.recall(self.record)

    def start(self) -> None:
        """Start the server and wait until it answers; a running one is left alone.

        Raises
        ------
        LocalAwsError
            It ended, or did not answer within a minute.
        """
        if self.process() and self.answers():
            return
        self.stop()
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        interpreter = CHECKOUT / ".venv-emulator" / "bin" / "python"
        if not interpreter.exists():
            raise LocalAwsError(f"{interpreter} is missing; run `make setup`")
        with ports.claiming():
            self._launch(interpreter, ports.choose("GRIDLAKE_AWS_PORT", 4566, remembered=self.port))

    def _launch(self, interpreter: Path, port: int) -> None:
        (self.state / "aws.port").write_text(str(port))
        process = processes.start(
            [str(interpreter), "-m", "gridlake_local.emulator"],
            environment=self._server_environment(port),
            folder=self.state,
            log=self.log,
        )
        processes.remember(self.record, process)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not process.alive() or time.monotonic() > deadline:
                process.stop()
                raise LocalAwsError(
                    f"the local AWS did not start on port {port}. End of {self.log}:\n{processes.tail(self.log)}\n"
                    "Fix what it says, or start from nothing with `gridlake down --purge && gridlake up`."
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server if it runs; it saves its state first."""
        process = self.process()
        if process:
            process.stop()
        self.record.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Whether a server is ready at the recorded port."""
        if self.port is None:
            return False
        try:
            answer = urllib3.request(
                "GET", f"{self.endpoint}/_ministack/health", timeout=2, retries=False, redirect=False
            )
            return answer.status == 200 and bool(answer.json())
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return False

    def client_environment(self) -> dict[str, str]:
        """Variables with which boto3, the AWS CLI and SAM speak to this server as its administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": self._secret(),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def _secret(self) -> str:
        path = self.state / "aws.secret"
        if not path.exists():
            self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(30))
        return path.read_text()

    def _server_environment(self, port: int) -> dict[str, str]:
        """Everything the server may know: nothing of the caller's AWS settings reaches it."""
        scratch = self.state / "tmp"
        scratch.mkdir(exist_ok=True)
        own = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.state),
            "LANG": "C.UTF-8",
            "TMPDIR": str(scratch),
            "PYTHONPATH": str(CHECKOUT / "local"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            # Room for calls that queue: each may hold a thread while the workers make calls of their own. Never seen to run out.
            "MINISTACK_WORKER_THREADS": "512",
            # With a live Docker socket MiniStack removes containers at boot.
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": os.environ.get("GRIDLAKE_AWS_LOG_LEVEL", "INFO"),
            "GRIDLAKE_LAMBDA_HOME": str(self.state / "lambda"),
            **self.client_environment(),
        }
        del own["AWS_DISABLE_HOST_PREFIX_INJECTION"]
        if self.persist:
            own |= {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.state / "aws" / "services"),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.state / "aws" / "s3"),
            }
        for name in ("GRIDLAKE_LAMBDA_CONCURRENCY", "GRIDLAKE_CHECKPOINT_SECONDS"):
            if name in os.environ:
                own[name] = os.environ[name]
        return own
