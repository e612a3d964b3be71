"""Keys and passwords stay where they belong: in files of their owner, never in a log or an answer."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from .builders import hourly_load
from .conftest import Stack


@pytest.fixture(scope="module")
def secrets(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What nobody may read, by name, after the application has used all of it."""
    (report,) = stack.ingest(hourly_load(tmp_path_factory.mktemp("secrets") / "CURVA_CARGA_2003.csv"))
    assert report["status"] == "loaded"
    stack.query("ons_load_hourly", "--start", "2003-01-01", "--end", "2004-01-01", "--window", "1d")
    with stack.api("basic") as client:
        assert client.get("/health").status_code == 200
    influx = stack.platform.influx.status()
    assert influx is not None
    environment = stack.platform.environment()
    return {
        **{f"API key {tier}": key for tier, key in stack.status.api_keys.items()},
        "password of InfluxDB": influx.password,
        "password of InfluxDB's administrator": influx.admin_password,
        "secret key of the local AWS": environment["AWS_SECRET_ACCESS_KEY"],
    }


def texts(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file())


def test_no_log_file_holds_a_secret(stack: Stack, secrets: dict[str, str]) -> None:
    logs = [*texts(stack.platform.state / "logs"), *stack.platform.state.rglob("*.log")]
    assert any(path.stat().st_size for path in logs)
    found = {
        f"{path.name}: {name}"
        for path in set(logs)
        for name, secret in secrets.items()
        if secret.encode() in path.read_bytes()
    }
    assert found == set()


def test_no_log_of_a_function_holds_a_secret(stack: Stack, secrets: dict[str, str]) -> None:
    logs = stack.client("logs")
    groups = [
        g["logGroupName"]
        for p in logs.get_paginator("describe_log_groups").paginate()
        for g in p["logGroups"]
    ]
    functions = [name for name in groups if "/lambda/" in name]
    lines = 0
    for group in functions:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                lines += 1
                leaked = [name for name, secret in secrets.items() if secret in event["message"]]
                assert not leaked, f"{group} logs the {leaked}"
    assert lines, f"no function logged anything: {groups}"


def test_no_answer_of_the_api_or_the_ledger_holds_a_secret(stack: Stack, secrets: dict[str, str]) -> None:
    with stack.api() as client:
        said = "".join(client.get(path).text for path in ("/health", "/datasets", "/ingestions"))
    items = stack.client("dynamodb").scan(TableName=stack.outputs["LedgerTableName"])["Items"]
    said += json.dumps(items)
    assert "CURVA_CARGA_2003.csv" in said
    assert [name for name, secret in secrets.items() if secret in said] == []


def test_files_with_secrets_belong_to_their_owner_alone(stack: Stack, secrets: dict[str, str]) -> None:
    """Outside the servers' own data, which lie in folders that only the owner enters."""
    state = stack.platform.state
    assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0
    holding = []
    for path in (*state.iterdir(), *(state / "influx").iterdir()):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets.values()):
            holding.append(path.name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert {"platform.json", "influx.json", "aws.secret"} <= set(holding)


def test_status_shows_no_password(stack: Stack, secrets: dict[str, str]) -> None:
    shown = stack.gridlake("status")
    assert shown.code == 0
    passwords = [secret for name, secret in secrets.items() if not name.startswith("API key")]
    assert [secret for secret in passwords if secret in shown.stdout + shown.stderr] == []
