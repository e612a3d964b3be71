"""What an API function imports before its first request. Modules are counted, not seconds: a busy machine changes nothing.

`benchmarks/cold_imports.py` measures the seconds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
API = sorted(path.name for path in (ROOT / "functions").glob("api_*"))
LIGHT = [*API, "ingestion_fail", "ingestion_record"]
DATA_FRAMES = {"pandas", "pyarrow", "numpy", "awswrangler", "matplotlib", "duckdb"}
LATER = {"boto3", "aws_xray_sdk", "influxdb_client", "jsonschema", "pydantic", "requests", "httpx", "yaml"}
"""Needed by some requests only, or not at all: each costs tens of milliseconds."""

ALL = 400
"""Modules of an API function, the standard library's included: 340 today."""

PROBE = "import sys, app; print(' '.join(sys.modules))"


def modules_of(function: str) -> set[str]:
    """Modules loaded by importing a handler in a fresh interpreter."""
    path = [str(ROOT / "functions" / function), str(ROOT / "layers/shared")]
    code = f"import sys; sys.path[:0] = {path!r}; {PROBE}"
    run = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code],
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize("function", LIGHT)
def test_a_light_function_imports_nothing_heavy(function: str) -> None:
    loaded = modules_of(function)
    assert loaded & (DATA_FRAMES | LATER) == set()
    assert len(loaded) < ALL


def test_routing_a_file_starts_without_the_data_frames_it_may_need() -> None:
    assert modules_of("ingestion_route") & DATA_FRAMES == set()
