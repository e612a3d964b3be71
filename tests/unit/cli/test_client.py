"""What the client retries, and how refusals read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .stub import Stub

Run = Callable[..., Any]


def test_429_waits_as_long_as_retry_after_says(gridlake: Run, stub: Stub) -> None:
    stub.failures.append(("/datasets", 429, {"retry-after": "1"}, {"message": "Too Many Requests"}))
    started = time.monotonic()
    ran = gridlake("datasets", "--json")
    assert ran.code == 0, ran.err
    assert time.monotonic() - started >= 1
    assert len(stub.received("GET", "/datasets")) == 2


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_hiccup_of_the_platform_is_retried(gridlake: Run, stub: Stub, status: int) -> None:
    stub.failures += [("/datasets", status, {}, {"message": "later"})] * 2
    assert gridlake("datasets").code == 0


def test_a_key_from_a_file_may_end_with_a_line_break(gridlake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_API_KEY", os.environ["GRIDLAKE_API_KEY"] + "\n")
    assert gridlake("datasets").code == 0


@pytest.mark.parametrize("key", ["ключ", "a\nb"])
def test_a_key_that_can_be_none_is_refused_before_it_is_sent(
    gridlake: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("GRIDLAKE_API_KEY", key)
    ran = gridlake("datasets", "--json")
    assert ran.code == 2, ran.exception
    assert "API key" in ran.err
    assert key not in ran.err + ran.out
    assert not stub.requests


def test_a_wrong_key_is_told_apart(gridlake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_API_KEY", "stale")
    ran = gridlake("datasets")
    assert ran.code == 2
    assert "API key" in ran.err
    assert "gridlake status" in ran.err


def test_a_wrong_key_stops_an_ingest_at_once(
    gridlake: Run, load_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLAKE_API_KEY", "stale")
    ran = gridlake("ingest", load_file, "--json")
    assert (ran.code, ran.out) == (2, "")


def test_a_used_up_quota_is_told_apart_from_a_wrong_key(gridlake: Run, stub: Stub) -> None:
    quota = {"message": "Limit Exceeded", "code": "quota_exceeded"}
    stub.failures += [("/datasets", 429, {"retry-after": "0"}, quota)] * 6
    ran = gridlake("datasets")
    assert ran.code == 1
    assert "quota" in ran.err


def test_a_problem_of_the_api_reads_as_message_and_hint(gridlake: Run) -> None:
    ran = gridlake("datasets", "ons_lod")
    assert ran.code == 1
    assert "there is no dataset 'ons_lod'" in ran.err
    assert "ons_load_hourly?" in ran.err


def test_an_unreachable_platform_is_exit_code_2(gridlake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_API_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("gridlake_cli.client.RETRIES", 0)
    ran = gridlake("--url", "http://127.0.0.1:9/v1", "datasets")
    assert ran.code == 2
    assert "can't be reached" in ran.err


def test_without_platform_and_url_the_hint_is_to_start_one(
    gridlake: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GRIDLAKE_API_URL")
    monkeypatch.delenv("GRIDLAKE_API_KEY")
    monkeypatch.setenv("GRIDLAKE_STATE", str(tmp_path / "state"))
    ran = gridlake("datasets")
    assert ran.code == 2
    assert "gridlake up" in ran.err


def test_a_page_that_is_not_the_api_is_recognised(gridlake: Run, stub: Stub) -> None:
    ran = gridlake("--url", f"{stub.url}/elsewhere", "datasets")
    assert ran.code in {1, 2}
    assert "Traceback" not in ran.err


def test_help_is_light_and_complete() -> None:
    """The command must not load data libraries to say what it can do."""
    code = (
        "import sys, gridlake_cli.main; "
        "heavy = {'httpx', 'pandas', 'pyarrow', 'numpy', 'matplotlib', 'boto3', 'gridlake_local'} & set(sys.modules); "
        "import json; print(json.dumps(sorted(heavy)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "down",
        "status",
        "demo",
        "ingest",
        "datasets",
        "ingestions",
        "query",
        "verify",
        "redrive",
        "contracts",
        "samples",
    ],
)
def test_every_command_has_help(gridlake: Run, command: str) -> None:
    ran = gridlake(command, "--help")
    assert ran.code == 0
    assert "Usage" in ran.out


def test_version_and_wrong_usage(gridlake: Run) -> None:
    assert gridlake("--version").out.startswith("gridlake 0")
    assert gridlake("ingest").code == 2
    assert gridlake("nonsense").code == 2
