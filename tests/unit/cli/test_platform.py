"""`up`, `down`, `status` and `demo` before a platform that only pretends; tests/e2e has the real one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gridlake_local.__main__ as module
from gridlake.platform.errors import TransientError
from gridlake_local.deployment import DeploymentError
from gridlake_local.platform import Status

Run = Callable[..., Any]

UP = Status(
    running=True,
    aws_endpoint="http://127.0.0.1:4566",
    influx_url="http://127.0.0.1:8086",
    influx_version="1.11",
    api_url="http://127.0.0.1:4566/v1",
    api_keys={"basic": "key-b", "premium": "key-p"},
)


class Pretended:
    """Remembers what it was asked; `failure` is raised by every verb."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.now = Status(running=False)
        self.failure: Exception | None = None

    def _called(self, verb: str, option: Any) -> None:
        self.calls.append((verb, option))
        if self.failure:
            raise self.failure

    def up(self, *, build: bool = True, progress: Callable[[str], None]) -> Status:
        progress("starting the servers")
        self._called("up", build)
        self.now = UP
        return self.now

    def down(self, *, purge: bool = False) -> None:
        self._called("down", purge)
        self.now = Status(running=False)

    def status(self) -> Status:
        self._called("status", None)
        return self.now


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    platform = Pretended()
    monkeypatch.setattr("gridlake_cli.config.platform", lambda: platform)
    return platform


def test_up_says_its_steps_beside_the_status(gridlake: Run, pretended: Pretended) -> None:
    ran = gridlake("up", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["api_url"] == UP.api_url
    assert ran.json["api_keys"] == UP.api_keys
    assert "starting the servers" in ran.err
    gridlake("up", "--no-build")
    assert pretended.calls == [("up", True), ("up", False)]


def test_down_keeps_the_data_unless_told(gridlake: Run, pretended: Pretended) -> None:
    assert "its data stays" in gridlake("down").err
    assert "purged" in gridlake("down", "--purge").err
    assert pretended.calls == [("down", False), ("down", True)]


def test_status_of_a_platform_that_is_down_is_exit_code_1(gridlake: Run, pretended: Pretended) -> None:
    ran = gridlake("status")
    assert ran.code == 1
    assert "gridlake up" in ran.err
    assert gridlake("status", "--json").json["running"] is False
    pretended.now = UP
    ran = gridlake("status")
    assert ran.code == 0
    for shown in (UP.api_url, "key-b", "key-p", "version 1.11"):
        assert shown in ran.out


FAILURES = {
    "a command with bytes": (
        subprocess.CalledProcessError(
            2, ["sam", "build", "-t", "template.yaml"], stderr=b"no such \xff template"
        ),
        ("sam build -t failed with exit code 2", "no such", "gridlake down --purge"),
    ),
    "a command with text": (
        subprocess.CalledProcessError(2, "sam build", output="cut: " + "x" * 5000 + " the end"),
        ("sam build failed", "the end"),
    ),
    "a command that said nothing": (
        subprocess.CalledProcessError(1, ["sam"]),
        ("sam failed with exit code 1.",),
    ),
    "the disk": (OSError(28, "No space left on device"), ("No space left on device", "gridlake status")),
    "a deployment": (DeploymentError("rolled back"), ("rolled back", "gridlake status")),
    "one of ours": (
        TransientError("S3 does not answer", code="s3_away", hint="wait"),
        ("S3 does not answer", "wait"),
    ),
}


@pytest.mark.parametrize("verb", ["up", "down", "status"])
@pytest.mark.parametrize("case", FAILURES)
def test_every_failure_is_a_message_with_a_next_step(
    gridlake: Run, pretended: Pretended, case: str, verb: str
) -> None:
    pretended.failure, said = FAILURES[case]
    ran = gridlake(verb)
    assert ran.code == 1
    shown = " ".join(ran.err.split())
    assert len(shown) < 2_000, "a log is cut to its end"
    for words in said:
        assert words in shown


@pytest.fixture
def verb(pretended: Pretended, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``python -m gridlake_local``."""
    monkeypatch.setattr(module, "Platform", lambda: pretended)

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["gridlake_local", *arguments])
        return module.main()

    return run


def test_the_platform_without_the_command(
    verb: Callable[..., int], pretended: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("status") == 1
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert verb("up") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["api_url"] == UP.api_url
    assert printed.err == "starting the servers\n"
    assert verb("down", "--purge") == 0
    pretended.failure = DeploymentError("rolled back")
    assert verb("up") == 1
    assert "rolled back" in capsys.readouterr().err


def test_the_tour_stops_where_rows_are_unaccounted_for(tmp_path: Path) -> None:
    from gridlake_cli import demo

    class Sample:
        path = tmp_path / "CURVA_CARGA_2024.csv"
        rows_in, quarantined, dataset, about = 5, {"missing_value": 1}, "ons_load_hourly", "five rows"

    def loaded(**changes: Any) -> dict[str, Any]:
        return {"error": None, "dataset": "ons_load_hourly", "rows_in": 5, "rows_quarantined": 1} | changes

    demo._check([Sample], [loaded()])
    for wrong, said in (
        (loaded(error={"code": "x", "message": "no way", "hint": "try"}), "no way"),
        (loaded(dataset="other"), "was taken for other"),
        (loaded(rows_in=4), "4 rows read"),
        (loaded(rows_quarantined=0), "0 quarantined"),
    ):
        with pytest.raises(demo.CommandError, match=said):
            demo._check([Sample], [wrong])
