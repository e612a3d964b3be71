"""The command in this process, against the stub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gridlake_cli.main import app

from .stub import KEY, Stub, serving


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as running:
        yield running


class Ran:
    def __init__(self, result: Any) -> None:
        self.code: int = result.exit_code
        self.out: str = result.stdout
        self.err: str = result.stderr
        self.exception = result.exception

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def gridlake(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("GRIDLAKE_API_URL", f"{stub.url}/v1")
    monkeypatch.setenv("GRIDLAKE_API_KEY", KEY)

    def run(*arguments: str | Path) -> Ran:
        return Ran(CliRunner().invoke(app, [str(a) for a in arguments]))

    return run


@pytest.fixture
def load_file(tmp_path: Path) -> Path:
    path = tmp_path / "CURVA_CARGA_2024.csv"
    path.write_text("id;value\nN;1\nNE;2\nS;3\nSE;4\n")
    return path
