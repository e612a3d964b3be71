"""One real InfluxDB per session, with a fresh measurement for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gridlake.contracts.model import Contract
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.partitions import PartitionRef
from gridlake_local.influx import InfluxInfo
from tests.integration.timeseries.support import SilverRow, contract_named, handler_of
from tests.servers import InfluxDatabase

_numbers = itertools.count()


@pytest.fixture(scope="session")
def influx(influx_database: InfluxDatabase) -> InfluxInfo:
    return influx_database("timeseries")


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


Silver = Callable[..., PartitionRef]
"""Writes rows ``(ISO time, subsystem, load, price)`` as a silver partition."""


@pytest.fixture
def silver(tmp_path: Path) -> Silver:
    def write(
        rows: list[SilverRow],
        *,
        source: str = "a",
        sequence: int = 1,
        version: int = 1,
        row_group_size: int = 1000,
        folder: str | None = None,
    ) -> PartitionRef:
        months = {folder} if folder else {row[0][:7] for row in rows}
        assert len(months) == 1, "one partition holds one month"
        year, month = str(months.pop()).split("-")
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
