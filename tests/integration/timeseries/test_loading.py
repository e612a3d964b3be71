"""Loading silver into a real InfluxDB: whole, in parts, after crashes, and with rows the server refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from gridlake.contracts.model import Contract
from gridlake.timeseries import loader
from gridlake.timeseries.checkpoint import FileCheckpoint, Progress, S3Checkpoint
from gridlake.timeseries.errors import (
    InfluxCredentialsError,
    InfluxRefusedError,
    InfluxUnavailableError,
    SeriesLimitError,
)
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.loader import load_partitions
from gridlake.timeseries.partitions import PartitionRef
from gridlake_local.influx import InfluxInfo, InfluxServer
from tests.integration.timeseries.conftest import Silver
from tests.integration.timeseries.support import contract_named, handler_of, hours, stub_server
from tests.servers import free_port


def forever() -> float:
    return 900.0


@pytest.fixture
def checkpoint(tmp_path: Path) -> FileCheckpoint:
    return FileCheckpoint(tmp_path / "checkpoint.json")


def held(handler: InfluxDBHandler, measurement: str) -> tuple[int, float]:
    """Count and sum of the loads that the server holds."""
    found = handler.query(f"SELECT count(load_mw), sum(load_mw) FROM {measurement}")
    return (int(found[0].values[0][1]), float(found[0].values[0][2])) if found else (0, 0.0)


def test_every_row_arrives_and_again_changes_nothing(
    handler: InfluxDBHandler, contract: Contract, silver: Silver, checkpoint: FileCheckpoint, tmp_path: Path
) -> None:
    refs = [silver(hours(700, month=m), row_group_size=200) for m in ("2024-01", "2024-03")]
    for number in range(2):
        report = load_partitions(
            refs, contract, handler, FileCheckpoint(tmp_path / f"{number}.json"), forever
        )
        assert (report.points_written, report.refused, report.done) == (1400, (), True)
        assert held(handler, contract.dataset) == (1400, 2 * sum(range(100, 800)))


def test_time_running_out_is_taken_up_where_it_stopped(
    handler: InfluxDBHandler, contract: Contract, silver: Silver, checkpoint: FileCheckpoint
) -> None:
    refs = [silver(hours(500, month=m), row_group_size=100) for m in ("2024-01", "2024-02")]
    runs = []
    while not runs or not runs[-1].done:
        runs.append(load_partitions(refs, contract, handler, checkpoint, lambda: 1.0))
        assert len(runs) <= 10, "each run must come further"
    assert [r.points_written for r in runs] == [100 * (n + 1) for n in range(10)]
    assert held(handler, contract.dataset) == (1000, 2 * sum(range(100, 600)))


def test_progress_of_other_partitions_is_not_taken_up(
    handler: InfluxDBHandler, contract: Contract, silver: Silver, checkpoint: FileCheckpoint
) -> None:
    checkpoint.save(Progress(partitions=["another"], partition=1, points_written=7, guarded=True))
    report = load_partitions([silver(hours(10))], contract, handler, checkpoint, forever)
    assert report.points_written == 10


CRASHING = """
import os, sys
from pathlib import Path
from gridlake.timeseries import loader
from gridlake.timeseries.checkpoint import FileCheckpoint
from gridlake.timeseries.credentials import Credentials
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.partitions import PartitionRef
from tests.integration.timeseries.support import contract_named
url, user, password, dataset, silver, checkpoint = sys.argv[1:]
class Killed(FileCheckpoint):
    def save(self, progress):
        super().save(progress)
        if progress.row_group == 3:
            os.kill(os.getpid(), 9)
loader.SAVE_EVERY_SECONDS = 0
handler = InfluxDBHandler(url=url, database=user, credentials=Credentials(user, password))
loader.load_partitions([PartitionRef(silver)], contract_named(dataset), handler, Killed(Path(checkpoint)), lambda: 900)
"""


def test_a_process_killed_midway_is_taken_up(
    influx: InfluxInfo,
    handler: InfluxDBHandler,
    contract: Contract,
    silver: Silver,
    checkpoint: FileCheckpoint,
    tmp_path: Path,
) -> None:
    ref = silver(hours(700), row_group_size=100)
    killed = subprocess.run(
        [
            *(sys.executable, "-c", CRASHING, influx.url, influx.username, influx.password),
            *(contract.dataset, ref.uri, str(tmp_path / "checkpoint.json")),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    count_before, _ = held(handler, contract.dataset)
    assert 300 <= count_before <= 700
    taken_up = checkpoint.read()
    assert taken_up is not None
    assert taken_up.row_group == 3
    report = load_partitions([ref], contract, handler, checkpoint, forever)
    assert (report.points_written, report.done) == (700, True)
    assert held(handler, contract.dataset) == (700, sum(range(100, 800)))


def test_checkpoint_in_s3(handler: InfluxDBHandler, contract: Contract, silver: Silver) -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="work")
        s3.create_bucket(Bucket="lake")
        s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        key = "silver/d/year=2024/month=01/São Paulo+a.parquet"
        versions = [
            s3.put_object(Bucket="lake", Key=key, Body=Path(silver(hours(n), source=str(n)).uri).read_bytes())
            for n in (20, 10)
        ]
        old = PartitionRef(f"s3://lake/{key}", versions[0]["VersionId"])
        assert old.month == (2024, 1)
        checkpoint = S3Checkpoint("s3://work/executions/e/load/checkpoint.json", s3)
        assert checkpoint.read() is None
        report = load_partitions([old], contract, handler, checkpoint, forever, s3=s3)
        assert report.points_written == 20
        saved = checkpoint.read()
        assert saved is not None
        assert (saved.partition, saved.points_written) == (1, 20)
        again = load_partitions([old], contract, handler, checkpoint, forever, s3=s3)
        assert again.points_written == 20


def test_unwritable_row_is_reported_and_the_rest_loads(
    handler: InfluxDBHandler, contract: Contract, silver: Silver, checkpoint: FileCheckpoint
) -> None:
    rows = hours(50)
    rows[30] = (rows[30][0], "N\nE", 1.0, 1.0)
    rows[40] = (rows[40][0], "NE", float("inf"), 1.0)
    report = load_partitions([silver(rows)], contract, handler, checkpoint, forever)
    assert report.points_written == 48
    assert [(r.source_row, r.reason) for r in report.refused] == [
        (32, "tag subsystem has a line break or a NUL: 'N\\nE'"),
        (42, "field load_mw is infinite"),
    ]


@pytest.mark.parametrize("row_group_size", [40, 1000])
def test_points_the_server_refuses_are_isolated(
    handler: InfluxDBHandler,
    contract: Contract,
    silver: Silver,
    checkpoint: FileCheckpoint,
    row_group_size: int,
) -> None:
    # A field keeps its type for a shard (52 weeks): an integer of 1999 makes every float of that shard a conflict.
    handler.write(f"{contract.dataset},subsystem=NE load_mw=1i 915148800000000000".encode())
    rows = hours(30)
    rows[7] = ("1999-01-01T01:00:00", "NE", 5.0, 6.0)
    mixed = silver(rows, folder="2024-01", row_group_size=row_group_size)
    report = load_partitions([mixed], contract, handler, checkpoint, forever)
    assert report.points_written == 29
    (refused,) = report.refused
    assert refused.source_row == 9
    assert "field type conflict" in refused.reason
    assert held(handler, contract.dataset)[0] == 30


def test_hopeless_load_stops(
    handler: InfluxDBHandler,
    contract: Contract,
    silver: Silver,
    checkpoint: FileCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "MAX_REFUSED", 20)
    handler.write(f"{contract.dataset},subsystem=NE load_mw=1i 1704067200000000000".encode())
    with pytest.raises(InfluxRefusedError) as stopped:
        load_partitions([silver(hours(50))], contract, handler, checkpoint, forever)
    assert stopped.value.error_code == "influx_refused_most"


def test_too_many_series_are_refused_before_anything_is_written(
    handler: InfluxDBHandler, measurement: str, silver: Silver, checkpoint: FileCheckpoint, tmp_path: Path
) -> None:
    contract = contract_named(measurement, max_series=3)
    four = [(f"2024-01-01T0{n}:00:00", f"s{n}", 1.0, 1.0) for n in range(4)]
    with pytest.raises(SeriesLimitError) as refusal:
        load_partitions([silver(four)], contract, handler, checkpoint, forever)
    assert refusal.value.details == {"series": 4, "max_series": 3}
    assert held(handler, measurement)[0] == 0
    load_partitions([silver(four[:3])], contract, handler, checkpoint, forever)
    load_partitions([silver(four[1:3])], contract, handler, FileCheckpoint(tmp_path / "b.json"), forever)
    with pytest.raises(SeriesLimitError):
        load_partitions([silver(four[2:])], contract, handler, FileCheckpoint(tmp_path / "c.json"), forever)


def test_server_down_is_transient(contract: Contract, silver: Silver, checkpoint: FileCheckpoint) -> None:
    dead = InfluxDBHandler(url=f"http://127.0.0.1:{free_port()}", database="d", budget=0.5)
    started = time.monotonic()
    with pytest.raises(InfluxUnavailableError) as failure:
        load_partitions([silver(hours(5))], contract, dead, checkpoint, forever)
    assert failure.value.transient
    assert time.monotonic() - started < 3


def test_server_restarting_midway_loses_nothing(
    contract: Contract, silver: Silver, checkpoint: FileCheckpoint, tmp_path: Path
) -> None:
    server = InfluxServer(tmp_path / "influx", free_port())
    info = server.start()
    try:
        handler = handler_of(info, budget=30)
        ref = silver(hours(700), row_group_size=10)

        def restart() -> None:
            time.sleep(0.1)
            server.stop()
            time.sleep(0.5)
            server.start()

        restarting = threading.Thread(target=restart)
        restarting.start()
        report = load_partitions([ref], contract, handler, checkpoint, forever, batch_lines=1)
        restarting.join()
        assert report.points_written == 700
        assert held(handler, contract.dataset) == (700, sum(range(100, 800)))
        assert server.start().password == info.password
    finally:
        server.stop()


def test_overloaded_server_is_waited_for(
    contract: Contract, silver: Silver, checkpoint: FileCheckpoint
) -> None:
    busy = (503, {"Retry-After": "1"}, b'{"error":"overloaded"}')
    fine = (204, {}, b"")
    none = (200, {}, b'{"results":[{}]}')
    with stub_server(none, busy, fine) as stub:
        handler = InfluxDBHandler(url=stub.url, database="d", budget=10)
        started = time.monotonic()
        report = load_partitions([silver(hours(5))], contract, handler, checkpoint, forever)
    assert report.points_written == 5
    assert time.monotonic() - started >= 1.0
    assert [r.path for r in stub.requests] == ["/query", "/write", "/write"]
    assert stub.requests[1].body == stub.requests[2].body


def test_wrong_credentials(
    influx: InfluxInfo, contract: Contract, silver: Silver, checkpoint: FileCheckpoint
) -> None:
    from gridlake.timeseries.credentials import Credentials

    handler = InfluxDBHandler(
        url=influx.url, database=influx.database, credentials=Credentials("gridlake", "wrong-secret")
    )
    with pytest.raises(InfluxCredentialsError) as failure:
        load_partitions([silver(hours(5))], contract, handler, checkpoint, forever)
    assert "wrong-secret" not in str(failure.value)
    assert influx.password not in repr(influx)
