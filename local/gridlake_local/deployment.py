"""Build the SAM application and deploy it onto the local AWS, with the commands that deploy it to AWS."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gridlake_local import processes

SOURCES = (
    "template.yaml", "samconfig.toml", "stacks", "statemachine", "functions", "layers", "contracts", "api", "config",
)  # fmt: skip
IGNORED = frozenset({"__pycache__", "build", ".aws-sam", ".mypy_cache", ".ruff_cache"})


class DeploymentError(RuntimeError):
    """`sam build` or `sam deploy` failed; the message has the end of its log and what to do next."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One application in a checkout, built and deployed from a state folder.

    Parameters
    ----------
    checkout
        Folder with template.yaml and samconfig.toml.
    state
        Folder for what is built, the generated configuration and the logs.
    """

    checkout: Path
    state: Path

    def fingerprint(self, overrides: Mapping[str, str]) -> str:
        """Hash of every source file and parameter of the deployment."""
        digest = hashlib.sha256()
        for path in self._source_files():
            digest.update(f"{path.relative_to(self.checkout)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(json.dumps(dict(overrides), sort_keys=True).encode())
        return digest.hexdigest()

    @property
    def stack(self) -> str:
        """Name of the root stack in the environment `local`."""
        return str(self._configuration()["global"]["parameters"]["stack_name"])

    def build(self, environment: Mapping[str, str]) -> None:
        """Run ``sam build`` into the state folder."""
        command = ["build", "--config-env", "local", "--build-dir", str(self.state / "build")]
        command += ["--template-file", str(self.checkout / "template.yaml")]
        self._sam(command, environment, self.state / "logs" / "sam-build.log")

    def deploy(self, environment: Mapping[str, str], overrides: Mapping[str, str]) -> None:
        """Run ``sam deploy`` with the environment `local`, these parameters laid over its own.

        The parameters go through a file that only its owner reads, since one of them is a password.
        """
        config = self.state / "samconfig.toml"
        config.unlink(missing_ok=True)
        config.touch(mode=0o600)
        config.write_text(self._merged(overrides))
        command = ["deploy", "--config-env", "local", "--config-file", str(config)]
        command += ["--template-file", str(self.state / "build" / "template.yaml")]
        self._sam(command, environment, self.state / "logs" / "sam-deploy.log")

    def _source_files(self) -> Iterator[Path]:
        for name in SOURCES:
            root = self.checkout / name
            if root.is_file():
                yield root
            for folder, folders, files in os.walk(root):
                folders[:] = sorted(f for f in folders if f not in IGNORED)
                yield from (Path(folder) / file for file in sorted(files) if not file.endswith(".pyc"))

    def _configuration(self) -> dict[str, dict[str, dict[str, object]]]:
        with (self.checkout / "samconfig.toml").open("rb") as file:
            return dict(tomllib.load(file)["local"])

    def _merged(self, overrides: Mapping[str, str]) -> str:
        parameters = self._configuration()["deploy"]["parameters"]
        declared = parameters.get("parameter_overrides") or ""
        pairs = declared.split() if isinstance(declared, str) else [str(pair) for pair in declared]  # type: ignore[attr-defined]
        values = dict(pair.split("=", 1) for pair in pairs) | dict(overrides)
        merged = {
            "stack_name": self.stack,
            **parameters,
            "parameter_overrides": [f"{key}={value}" for key, value in values.items()],
        }
        # A JSON string, list or boolean is a TOML one.
        lines = [f"{key} = {json.dumps(value)}" for key, value in merged.items()]
        return "\n".join(["version = 0.1", "[local.deploy.parameters]", *lines, ""])

    def _sam(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            done = subprocess.run(
                ["sam", *arguments],
                cwd=self.checkout,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise DeploymentError(
                f"`sam {arguments[0]}` failed with exit code {done.returncode}. End of {log}:\n{processes.tail(log, 25)}\n"
                "Fix what it says and run `gridlake up` again; for a state that can't be updated, `gridlake down --purge` first."
            )
