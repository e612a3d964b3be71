"""One real InfluxDB per session, with a fresh measurement for each test."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Role
from gridlake.timeseries.credentials import Credentials
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.partitions import PartitionRef
from gridlake_local.influx import InfluxInfo, InfluxServer

_numbers = itertools.count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxInfo]:
    server = InfluxServer(tmp_path_factory.mktemp("influx"), free_port())
    info = server.start()
    yield info
    server.stop()


def handler_of(info: InfluxInfo, *, budget: float = 5.0) -> InfluxDBHandler:
    return InfluxDBHandler(
        url=info.url,
        database=info.database,
        credentials=Credentials(info.username, info.password),
        budget=budget,
    )


@pytest.fixture(scope="session")
def handler(influx: InfluxInfo) -> Iterator[InfluxDBHandler]:
    connected = handler_of(influx)
    yield connected
    connected.close()


@pytest.fixture
def measurement() -> str:
    return f"m{next(_numbers)}"


@pytest.fixture
def contract(measurement: str) -> Contract:
    return contract_named(measurement)


def contract_named(dataset: str, *, max_series: int = 100) -> Contract:
    number = ColumnType.NUMBER
    return Contract(
        dataset=dataset,
        version="1.0.0",
        publisher="test",
        kind=Kind.SERIES,
        title={"en": dataset},
        columns=(
            Column(name="subsystem", role=Role.TAG, key=True),
            Column(name="load_mw", role=Role.FIELD, type=number, unit="MW"),
            Column(name="price_brl_mwh", role=Role.FIELD, type=number, unit="BRL/MWh"),
        ),
        max_series=max_series,
    )


Silver = Callable[..., PartitionRef]
"""Writes rows ``(ISO time, subsystem, load, price)`` as a silver partition."""


@pytest.fixture
def silver(tmp_path: Path) -> Silver:
    def write(
        rows: list[tuple[str, str | None, float | None, float | None]],
        *,
        source: str = "a",
        sequence: int = 1,
        version: int = 1,
        row_group_size: int = 1000,
    ) -> PartitionRef:
        months = {row[0][:7] for row in rows}
        assert len(months) == 1, "one partition holds one month"
        year, month = months.pop().split("-")
        times = np.array([row[0] for row in rows], dtype="datetime64[us]")
        table = pa.table(
            {
                "time": pa.array(times, pa.timestamp("us", "UTC")),
                "subsystem": pa.array([row[1] for row in rows], pa.string()).dictionary_encode(),
                "load_mw": pa.array([row[2] for row in rows], pa.float64()),
                "price_brl_mwh": pa.array([row[3] for row in rows], pa.float64()),
                "_source_row": pa.array(range(2, len(rows) + 2), pa.int64()),
            }
        ).replace_schema_metadata({"gridlake.sequence": str(sequence)})
        path = tmp_path / f"v{version}" / f"year={year}" / f"month={month}" / f"{source}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=row_group_size)
        return PartitionRef(str(path))

    return write


def hours(
    count: int, *, month: str = "2024-01", first: float = 100.0
) -> list[tuple[str, str | None, float | None, float | None]]:
    """Hourly rows of one subsystem, `load_mw` counting up from `first`."""
    start = np.datetime64(f"{month}-01T00:00:00")
    return [(str(start + np.timedelta64(i, "h")), "NE", first + i, 1.5 * i) for i in range(count)]
