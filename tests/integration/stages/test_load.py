"""The whole path of a file on a real InfluxDB: revisions, refused rows, interruptions, an outage."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from gridlake.platform.clients import client
from gridlake.platform.errors import GridlakeError, TransientError
from gridlake.stages.load import load
from gridlake.stages.verify import verify
from gridlake.timeseries.errors import InfluxRefusedError
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.line_protocol import MAX_TIME_NS, MIN_TIME_NS
from gridlake.workflow.context import Source
from gridlake_local.influx import InfluxInfo, InfluxServer
from tests.servers import free_port
from tests.unit.aws_environment import BUCKETS, LambdaContext, application
from tests.unit.stages.conftest import DAYS, KEY, Machine, load_daily

MEASUREMENT = "ons_load_daily"


class Loading(Machine):
    """The machine with its load stage."""

    def load(self, payload: dict[str, Any]) -> dict[str, Any]:
        for _ in range(50):
            payload = dict(load(payload, self.context, settings=self.app.settings))
            if payload["stages"]["load"]["status"] == "done":
                return payload
        raise AssertionError("the load does not end")

    def begin_load(self, body: bytes) -> dict[str, Any]:
        """A new upload up to the end of its load, not recorded."""
        return self.load(self.process(self.route(self.app.begin(self.app.upload(body, KEY)))))

    def ingest(self, body: bytes, key: str = KEY) -> dict[str, Any]:
        return self.carry(self.app.begin(self.app.upload(body, key)))

    def carry(self, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            payload = self.route(payload)
            if payload["stages"]["route"]["status"] == "small":
                payload = self.process(payload)
                if payload["stages"]["process"]["status"] == "load":
                    payload = self.load(payload)
            self.record(payload)
        except GridlakeError as error:
            self.fail(payload, error)
        source = payload.get("source") or {"ingestion_id": Source.from_event(payload["event"]).ingestion_id}
        return self.ledger.get(source["ingestion_id"])

    def points(self) -> list[tuple[str, float]]:
        handler = InfluxDBHandler.from_settings(self.app.settings)
        found = handler.query(f'SELECT load_mw, subsystem FROM "{MEASUREMENT}"')
        handler.close()
        return sorted((row[2], row[1]) for series in found for row in series.values)

    def series(self, dataset: str) -> list[float]:
        handler = InfluxDBHandler.from_settings(self.app.settings)
        found = handler.query(f'SELECT mw FROM "{dataset}"')
        handler.close()
        return [float(row[1]) for series in found for row in series.values]

    def verified(self) -> str:
        payload = self.app.begin({}, "ver") | {"request": {"dataset": MEASUREMENT}}
        del payload["event"]
        done = verify(payload, LambdaContext(), settings=self.app.settings)
        return str(done["stages"]["verify"]["status"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InfluxServer, InfluxInfo]]:
    server = InfluxServer(tmp_path_factory.mktemp("influx"), free_port())
    yield server, server.start()
    server.stop()


@pytest.fixture
def machine(server: tuple[InfluxServer, InfluxInfo]) -> Iterator[Loading]:
    info = server[1]
    with application(INFLUX_DATABASE=info.database, INFLUX_URL=info.url, INFLUX_SECRET_ARN="influx") as app:
        secret = {"username": info.username, "password": info.password}
        client("secretsmanager").create_secret(Name="influx", SecretString=json.dumps(secret))
        machine = Loading(app)
        handler = InfluxDBHandler.from_settings(app.settings)
        handler.delete(MEASUREMENT, start=MIN_TIME_NS, stop=MAX_TIME_NS)
        handler.close()
        yield machine


def test_points_of_a_file_are_those_of_the_lake(machine: Loading) -> None:
    record = machine.ingest(DAYS)
    assert (record["status"], record["points_written"]) == ("loaded", 3)
    assert machine.points() == [("N", 5300.5), ("N", 5400.0), ("S", 9100.0)]
    assert machine.verified() == "equal"


def test_rows_that_vanished_from_a_revision_vanish_from_influx(machine: Loading) -> None:
    machine.ingest(DAYS)
    machine.ingest(load_daily(("N", "2023-01-01", "1"), ("N", "2023-03-01", "2")))
    assert machine.points() == [("N", 1.0), ("N", 2.0)]
    assert machine.verified() == "equal"


def test_a_revision_after_a_failed_one_removes_what_both_left(machine: Loading) -> None:
    machine.ingest(DAYS)
    payload = machine.begin_load(load_daily(("N", "2023-05-01", "5"), ("S", "2023-05-01", "6")))
    machine.fail(payload, {"Error": "Sandbox.Timedout", "Cause": ""})
    machine.ingest(load_daily(("N", "2023-05-01", "7")))
    assert machine.points() == [("N", 7.0)]
    assert machine.verified() == "equal"


def test_the_newer_of_two_files_with_one_key_counts_also_after_a_redrive_of_the_older(
    machine: Loading,
) -> None:
    older = machine.ingest(
        load_daily(("N", "2023-01-01", "1"), ("N", "2023-01-02", "1")), "raw/ons/CARGA_ENERGIA_a.csv"
    )
    machine.ingest(load_daily(("N", "2023-01-01", "2")), "raw/ons/CARGA_ENERGIA_b.csv")
    assert machine.points() == [("N", 1.0), ("N", 2.0)]
    machine.carry(machine.app.begin(machine.ledger.redrive_event(older)))
    assert machine.points() == [("N", 1.0), ("N", 2.0)]
    assert machine.verified() == "equal"


def test_a_load_out_of_time_goes_on(machine: Loading) -> None:
    machine.context.remaining_ms = 1_000
    days = [("N", f"2023-{month:02d}-01", str(month)) for month in range(1, 13)]
    record = machine.ingest(load_daily(*days))
    assert (record["status"], record["points_written"]) == ("loaded", 12)
    assert len(machine.points()) == 12


def test_refused_rows_move_from_silver_to_quarantine(
    machine: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = InfluxDBHandler.write

    def refusing(self: InfluxDBHandler, payload: bytes | memoryview) -> None:
        if b"9100" in bytes(payload):
            raise InfluxRefusedError("refused", http_status=400, reason="field type conflict")
        write(self, payload)

    monkeypatch.setattr(InfluxDBHandler, "write", refusing)
    record = machine.ingest(DAYS)
    assert (record["status"], record["rows_in"], record["rows_loaded"]) == ("partial", 3, 2)
    assert record["quarantine"] == {"influx_refused": 1}
    key = f"quarantine/{MEASUREMENT}/{record['source_id']}.parquet"
    body = client("s3").get_object(Bucket=BUCKETS["quarantine"], Key=key)["Body"].read()
    (row,) = pq.read_table(io.BytesIO(body)).to_pylist()
    assert (row["reason"], row["source_row"]) == ("influx_refused", 3)
    assert "9100" in row["raw"]
    assert record["lineage"]["quarantine"] == f"s3://{BUCKETS['quarantine']}/{key}"
    monkeypatch.undo()
    assert machine.verified() == "equal"


def test_a_file_of_which_every_row_is_refused_fails_with_its_counts(
    machine: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: Any) -> None:
        raise InfluxRefusedError("refused", http_status=400, reason="field type conflict")

    monkeypatch.setattr(InfluxDBHandler, "write", refusing)
    record = machine.ingest(DAYS)
    assert (record["status"], record["error"]["code"]) == ("failed", "all_rows_quarantined")
    assert (record["rows_in"], record["rows_loaded"], record["quarantine"]) == (3, 0, {"influx_refused": 3})


def test_an_outage_is_transient_and_the_redrive_loads_all(
    machine: Loading, server: tuple[InfluxServer, InfluxInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    from_settings = InfluxDBHandler.from_settings
    monkeypatch.setattr(
        InfluxDBHandler, "from_settings", lambda settings: from_settings(settings, budget=0.5)
    )
    payload = machine.process(machine.route(machine.app.begin(machine.app.upload(DAYS, KEY))))
    server[0].stop()
    with pytest.raises(GridlakeError) as caught:
        machine.load(payload)
    assert type(caught.value) is TransientError
    machine.fail(payload, caught.value)
    server[0].start()
    failed = machine.ledger.get(payload["source"]["ingestion_id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "influx_unavailable")
    record = machine.carry(machine.app.begin(machine.ledger.redrive_event(failed)))
    assert (record["status"], record["points_written"], record["attempts"]) == ("loaded", 3, 2)
    assert machine.verified() == "equal"
