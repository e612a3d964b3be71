"""One real `sam build` of the checkout, and what came out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.templates import load_template

ROOT = Path(__file__).resolve().parents[3]
SITE = Path(sys.prefix) / "lib/python3.13/site-packages"
RUNTIME_LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
"""What Lambda's Python runtime brings itself."""


@dataclass(frozen=True)
class Artifact:
    """A built function with the folders of its layers."""

    stack: str
    name: str
    folder: Path
    layers: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Unzipped size of function and layers, which Lambda limits to 250 MB."""
        return sum(
            p.stat().st_size for root in (self.folder, *self.layers) for p in root.rglob("*") if p.is_file()
        )


def sam_build(checkout: Path, out: Path) -> Path:
    """Run plain `sam build` in a checkout; the folder with the built template."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
    }
    command = ["sam", "build", "--build-dir", str(out), "--config-file", str(ROOT / "samconfig.toml")]
    run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return out


def artifacts_of(build: Path) -> list[Artifact]:
    """The functions of a build, by their built templates."""
    found = []
    layers = {
        "SharedLayerArn": build / "Layers/SharedLayer",
        "DataframesLayerArn": build / "Layers/DataframesLayer",
    }
    for path in sorted(build.glob("*/template.yaml")):
        template = load_template(path)
        shared = template.get("Globals", {}).get("Function", {})
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                properties = {**shared, **resource["Properties"]}
                own = tuple(layers[layer["Ref"]] for layer in properties["Layers"])
                found.append(Artifact(path.parent.name, name, path.parent / properties["CodeUri"], own))
    return found


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sam_build(ROOT, tmp_path_factory.mktemp("sam") / "build")


@pytest.fixture(scope="session")
def artifacts(build: Path) -> list[Artifact]:
    return artifacts_of(build)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what Lambda's runtime brings, and nothing else of this environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME_LIBRARIES:
        (folder / name).symlink_to(SITE / name)
    return folder
