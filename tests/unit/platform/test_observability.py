"""Logs and metrics as operators read them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gridlake.platform import clients, clock, ids
from gridlake.platform.observability import Metric, emit, lambda_entry, subsegment, tracer
from tests.unit.aws_environment import CREDENTIALS, LambdaContext


def test_metrics_are_counted_by_environment_and_by_dataset(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDLAKE_ENV", "staging")
    emit("ons_load_daily", {Metric.ROWS_LOADED: 365, Metric.INGESTION_SECONDS: 1.5})
    record = json.loads(capsys.readouterr().out)
    directive = record["_aws"]["CloudWatchMetrics"][0]
    assert ["environment"] in directive["Dimensions"]
    assert ["environment", "dataset"] in directive["Dimensions"]
    assert (record["environment"], record["dataset"]) == ("staging", "ons_load_daily")
    assert record["RowsLoaded"] == [365.0]
    assert {"Name": "IngestionSeconds", "Unit": "Seconds"} in directive["Metrics"]


def test_two_emissions_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    emit("a", {Metric.FAILURES: 1})
    emit("b", {Metric.ROWS_LOADED: 2})
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert ("RowsLoaded" in first, "Failures" in second) == (False, False)


def test_entry_works_with_and_without_a_context_and_keeps_events_out_of_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @lambda_entry
    def handler(event: dict[str, str], context: object) -> str:
        return event["row"].upper()

    assert handler({"row": "secret"}, LambdaContext()) == "SECRET"
    assert handler({"row": "secret"}) == "SECRET"
    shown = capsys.readouterr()
    assert "secret" not in (shown.out + shown.err).lower()


def test_nothing_is_traced_without_a_daemon() -> None:
    assert tracer() is None
    with subsegment("anything"):
        pass


def test_handlers_are_traced_where_there_is_a_daemon() -> None:
    """In a process of its own, because the X-Ray library patches botocore."""
    code = (
        "from gridlake.platform.observability import lambda_entry, subsegment, tracer\n"
        "from tests.unit.aws_environment import LambdaContext\n"
        "handler = lambda_entry(lambda event, context: str(tracer().provider.get_trace_entity().id)\n"
        "                       if hasattr(tracer().provider, 'get_trace_entity') else 'traced')\n"
        "print(handler({}, LambdaContext()))"
    )
    environ = {
        "PYTHONPATH": "layers/shared:.",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.strip()
    assert "cannot find" not in done.stderr.lower()


def test_importing_the_platform_loads_neither_boto3_nor_data_frame_libraries() -> None:
    code = (
        "import sys, gridlake.platform.s3, gridlake.platform.observability, gridlake.platform.settings, "
        "gridlake.workflow, gridlake.ingestion.ledger; "
        "print([m for m in ('boto3', 'botocore.session', 'aws_xray_sdk', 'pandas', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "layers/shared"},
    )
    assert done.stdout.strip() == "[]"


def test_clients_are_shared_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    clients.reset()
    first = clients.client("s3")
    assert clients.client("s3") is first
    assert first.meta.config.retries["mode"] == "standard"
    assert first.meta.config.connect_timeout == clients.CONNECT_TIMEOUT_SECONDS
    clients.reset()
    assert clients.client("s3") is not first
    clients.reset()


def test_identifiers_depend_on_what_they_identify() -> None:
    assert ids.source_id("raw/a.csv") == ids.source_id("raw/a.csv") != ids.source_id("raw/b.csv")
    assert ids.ingestion_id("b", "k", "1") != ids.ingestion_id("b", "k", "2")
    assert len(ids.source_id("é")) == 16
    assert len(ids.ingestion_id("b", "k", "v")) == 24


def test_printed_instants_sort_and_read_back() -> None:
    instant = clock.parse("2026-11-20T13:00:00.1234+02:00")
    assert clock.timestamp(instant) == "2026-11-20T11:00:00.123Z"
    assert clock.parse("2026-11-20").utcoffset() is not None
    assert clock.timestamp() <= clock.timestamp()
