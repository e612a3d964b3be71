"""Loading a silver partition into a local InfluxDB: gridlake, the stock client, and posting ready-made bytes.

Run: ``PYTHONPATH=layers/shared:local python benchmarks/influx_load.py [--rows N] [--peer-rows N] [--port N]``.
Prints one JSON object and the rows of a markdown table. Each way writes a measurement of its own, whose count and sums are
read back and compared with the table.

The stock client runs as its documentation says for data frames: synchronous `write_api`, 5,000 lines a batch. It can't
speak to a server of version 1 as it is, so its request is sent to `/write` instead of `/api/v2/write`; nothing else differs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from line_protocol import FIELDS, PLANTS, TAGS, table_of
from urllib3 import make_headers

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Role
from gridlake.timeseries.checkpoint import FileCheckpoint
from gridlake.timeseries.credentials import Credentials
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.line_protocol import Serialiser
from gridlake.timeseries.loader import load_partitions
from gridlake.timeseries.partitions import PartitionRef
from gridlake_local.influx import InfluxInfo, InfluxServer

BATCH = 8_192


def contract_of(dataset: str) -> Contract:
    """Contract of the benchmark's table."""
    tags = [Column(name=name, role=Role.TAG, key=True) for name in TAGS]
    fields = [Column(name=name, role=Role.FIELD, type=ColumnType.NUMBER) for name in FIELDS]
    return Contract(
        dataset=dataset,
        version="1.0.0",
        publisher="benchmark",
        kind=Kind.SERIES,
        title={},
        columns=(*tags, *fields),
        max_series=10 * PLANTS,
    )


def load_ours(silver: Path, handler: InfluxDBHandler, measurement: str, folder: Path) -> None:
    """Load as the ingestion workflow does."""
    checkpoint = FileCheckpoint(folder / f"{measurement}.json")
    report = load_partitions(
        [PartitionRef(str(silver))], contract_of(measurement), handler, checkpoint, lambda: 900.0
    )
    if not report.done or report.refused:
        raise SystemExit(f"the load is not whole: {report}")


def load_stock(silver: Path, info: InfluxInfo, measurement: str) -> None:
    """Load as a user of influxdb-client does."""
    client = InfluxDBClient(url=info.url, token="-", org="-", timeout=60_000)
    client.api_client.set_default_header(
        "Authorization", make_headers(basic_auth=f"{info.username}:{info.password}")["authorization"]
    )
    send = client.api_client.call_api

    def to_version_1(path: str, method: str, *arguments: Any, **named: Any) -> Any:
        path = {"/api/v2/write": "/write"}.get(path, path)
        if len(arguments) > 1:
            arguments = (arguments[0], [("db", info.database), ("precision", "ns")], *arguments[2:])
        return send(path, method, *arguments, **named)

    client.api_client.call_api = to_version_1
    frame = pq.read_table(silver).to_pandas().set_index("time").drop(columns="_source_row")
    for tag in TAGS:
        frame[tag] = frame[tag].astype(str)
    writer = client.write_api(write_options=SYNCHRONOUS)
    for start in range(0, len(frame), 5_000):
        writer.write(
            info.database,
            "-",
            frame.iloc[start : start + 5_000],
            data_frame_measurement_name=measurement,
            data_frame_tag_columns=TAGS,
        )
    client.close()


def ready_made(silver: Path, measurement: str) -> list[memoryview]:
    """The partition as payloads that need only be sent."""
    serialiser = Serialiser(measurement, tags=TAGS, fields=FIELDS)
    return [
        lines.payload(start, start + BATCH)
        for lines in serialiser.lines(pq.read_table(silver))
        for start in range(0, len(lines), BATCH)
    ]


def post(payloads: list[memoryview], handler: InfluxDBHandler) -> None:
    """Send ready-made payloads by two writers."""
    with ThreadPoolExecutor(2) as writers:
        list(writers.map(handler.write, payloads))


def timed(action: Callable[[], None]) -> float:
    """Seconds of wall clock."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def same(handler: InfluxDBHandler, measurement: str, table: pa.Table) -> bool:
    """Whether count and sums of every field are those of the table."""
    for field in FIELDS:
        found = handler.query(f'SELECT count("{field}"), sum("{field}") FROM "{measurement}"')
        _, count, total = found[0].values[0]
        if count != table.num_rows or not np.isclose(total, table[field].to_numpy().sum(), rtol=1e-12):
            return False
    return True


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--peer-rows", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--port", type=int, default=18_095)
    chosen = options.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server = InfluxServer(folder / "influx", chosen.port)
        info = server.start()
        try:
            handler = InfluxDBHandler(
                url=info.url, database=info.database, credentials=Credentials(info.username, info.password)
            )
            print_result(measure(chosen, folder, info, handler), info.version)
        finally:
            server.stop()


def measure(
    chosen: argparse.Namespace, folder: Path, info: InfluxInfo, handler: InfluxDBHandler
) -> dict[str, Any]:
    """Best rows per second of each way; the ways take turns, so that a busy moment hits all of them."""
    table = table_of(chosen.rows)
    table = table.append_column("_source_row", pa.array(np.arange(chosen.rows) + 2))
    small = table.slice(0, chosen.peer_rows)
    silver, small_silver = folder / "silver.parquet", folder / "small.parquet"
    pq.write_table(table, silver, row_group_size=131_072, compression="zstd")
    pq.write_table(small, small_silver, row_group_size=131_072, compression="zstd")
    seconds: dict[str, list[float]] = {"gridlake": [], "ready_made": [], "stock": []}
    correct = True
    for number in range(chosen.rounds):
        payloads = ready_made(silver, f"ready_{number}")
        seconds["ready_made"].append(timed(lambda p=payloads: post(p, handler)))  # type: ignore[misc]
        name = f"ours_{number}"
        seconds["gridlake"].append(timed(lambda n=name: load_ours(silver, handler, n, folder)))  # type: ignore[misc]
        stock = f"stock_{number}"
        seconds["stock"].append(timed(lambda n=stock: load_stock(small_silver, info, n)))  # type: ignore[misc]
        correct &= same(handler, name, table) and same(handler, stock, small)
    ours, ready = (chosen.rows / min(seconds[k]) for k in ("gridlake", "ready_made"))
    peer = chosen.peer_rows / min(seconds["stock"])
    return {
        "benchmark": "influx_load",
        "rows": chosen.rows,
        "correct": correct,
        "gridlake_rows_per_second": round(ours),
        "influxdb_client_rows_per_second": round(peer),
        "ready_made_rows_per_second": round(ready),
        "ratio_to_client": round(ours / peer, 1),
        "share_of_ready_made": round(ours / ready, 2),
    }


def print_result(result: dict[str, Any], version: str) -> None:
    """Print JSON and the rows of a table."""
    print(json.dumps(result))
    print(f"| load into InfluxDB {version} | rows/s |")
    print("|---|---|")
    print(f"| influxdb-client, data frame, synchronous | {result['influxdb_client_rows_per_second']:,} |")
    print(f"| gridlake, Parquet to points | {result['gridlake_rows_per_second']:,} |")
    print(f"| posting ready-made bytes, two writers | {result['ready_made_rows_per_second']:,} |")
    if not result["correct"]:
        raise SystemExit("what was read back is not what was written")


if __name__ == "__main__":
    main()
