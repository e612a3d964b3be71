"""Loading silver partitions into a local InfluxDB: gridlake, the stock client, and posting ready-made bytes.

Run: ``PYTHONPATH=layers/shared:local python benchmarks/influx_load.py [--rows N] [--peer-rows N] [--rounds N] [--port N]``.
Prints one JSON object and the rows of Markdown tables. Every load writes a measurement of its own, whose counts and sums are
read back and compared with the table.

The stock client runs as its documentation says for data frames: synchronous `write_api`, 5,000 lines a batch. It can't
speak to a server of version 1 as it is, so its request is sent to `/write` instead of `/api/v2/write`; nothing else differs.
Ready-made bytes are what the loader would send, in the same batches and by as many writers, made before the clock starts.

The ways take turns and the server is let come to rest between them; figures are medians, a ratio is the median of the
rounds' own ratios. CPU is user and system time; that of the server is counted until it rests again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
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
from gridlake.timeseries.loader import BATCH_LINES, WRITERS, load_partitions
from gridlake.timeseries.partitions import PartitionRef
from gridlake.timeseries.reconciliation import verify_months
from gridlake_local.influx import InfluxInfo, InfluxServer, InfluxStartError, unpack_package

ROOT = Path(__file__).resolve().parents[1]
REST_SECONDS = 30.0


@dataclass(frozen=True)
class Spent:
    """Rows per second of wall clock, and CPU seconds of this process and of the server per million rows."""

    speed: float
    cpu: float
    server_cpu: float


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


def handler_of(info: InfluxInfo) -> InfluxDBHandler:
    """A connection to the server."""
    return InfluxDBHandler(
        url=info.url, database=info.database, credentials=Credentials(info.username, info.password)
    )


def silver_of(table: pa.Table, folder: Path) -> list[Path]:
    """The table as silver partitions, one a month."""
    months = np.asarray(table["time"].to_numpy(), dtype="datetime64[M]")
    starts = np.append(0, 1 + np.flatnonzero(months[1:] != months[:-1]))
    files = []
    for start, stop in zip(starts, [*starts[1:], len(months)], strict=True):
        year, month = str(months[start]).split("-")
        file = folder / f"year={year}" / f"month={month}" / "benchmark.parquet"
        file.parent.mkdir(parents=True)
        part = table.slice(start, stop - start)
        pq.write_table(part, file, row_group_size=131_072, compression="zstd")
        files.append(file)
    return files


def load_ours(files: Sequence[Path], handler: InfluxDBHandler, measurement: str, folder: Path) -> None:
    """Load as the ingestion workflow does."""
    checkpoint = FileCheckpoint(folder / f"{measurement}.json")
    partitions = [PartitionRef(str(file)) for file in files]
    report = load_partitions(partitions, contract_of(measurement), handler, checkpoint, lambda: 900.0)
    if not report.done or report.refused:
        raise SystemExit(f"the load is not whole: {report}")


def load_stock(files: Sequence[Path], info: InfluxInfo, measurement: str) -> None:
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
    writer = client.write_api(write_options=SYNCHRONOUS)
    for file in files:
        frame = pq.read_table(file, columns=["time", *TAGS, *FIELDS], partitioning=None).to_pandas()
        frame = frame.set_index("time")
        for tag in TAGS:
            frame[tag] = frame[tag].astype(str)
        for start in range(0, len(frame), 5_000):
            writer.write(
                info.database,
                "-",
                frame.iloc[start : start + 5_000],
                data_frame_measurement_name=measurement,
                data_frame_tag_columns=TAGS,
            )
    client.close()


def ready_made(table: pa.Table, measurement: str) -> list[memoryview]:
    """The table as payloads that need only be sent."""
    serialiser = Serialiser(measurement, tags=TAGS, fields=FIELDS)
    return [
        lines.payload(start, start + BATCH_LINES)
        for lines in serialiser.lines(table)
        for start in range(0, len(lines), BATCH_LINES)
    ]


def post(payloads: list[memoryview], handler: InfluxDBHandler) -> None:
    """Send ready-made payloads by as many writers as the loader has."""
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(handler.write, payloads))


def cpu_of(pid: int | None) -> float:
    """CPU seconds of a server that is a process of this machine."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(pid: int | None) -> None:
    """Wait until the server does nothing, so that it does not compact one way's points on another's time."""
    deadline = time.monotonic() + REST_SECONDS
    while time.monotonic() < deadline:
        before = cpu_of(pid)
        time.sleep(0.5)
        if cpu_of(pid) - before < 0.03:
            return


def spent(action: Callable[[], None], rows: int, pid: int | None) -> Spent:
    """What a load takes."""
    rest(pid)
    wall, cpu, server = time.perf_counter(), time.process_time(), cpu_of(pid)
    action()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rest(pid)
    return Spent(rows / wall, cpu * 1e6 / rows, (cpu_of(pid) - server) * 1e6 / rows)


def same(handler: InfluxDBHandler, measurement: str, table: pa.Table) -> bool:
    """Whether count and sums of every field are those of the table."""
    for field in FIELDS:
        found = handler.query(f'SELECT count("{field}"), sum("{field}") FROM "{measurement}"')
        _, count, total = found[0].values[0]
        if count != table.num_rows or not np.isclose(total, table[field].to_numpy().sum(), rtol=1e-12):
            return False
    return True


def measure(chosen: argparse.Namespace, folder: Path, info: InfluxInfo) -> dict[str, Any]:
    """Rows per second and CPU of each way."""
    handler = handler_of(info)
    table = with_source_rows(table_of(chosen.rows))
    small = table.slice(0, chosen.peer_rows)
    files, small_files = silver_of(table, folder / "silver"), silver_of(small, folder / "small")
    found: dict[str, list[Spent]] = {"stock": [], "gridlake": [], "ready_made": []}
    correct = True
    for number in range(chosen.rounds):
        stock, ours, ready = (f"{name}_{number}" for name in found)
        payloads = ready_made(table, ready)
        ways: dict[str, tuple[int, Callable[[], None]]] = {
            "stock": (chosen.peer_rows, lambda m=stock: load_stock(small_files, info, m)),  # type: ignore[misc]
            "gridlake": (chosen.rows, lambda m=ours: load_ours(files, handler, m, folder)),  # type: ignore[misc]
            "ready_made": (chosen.rows, lambda p=payloads: post(p, handler)),  # type: ignore[misc]
        }
        # Forwards and backwards, so that no way always comes after the same other one.
        for name in ways if number % 2 == 0 else reversed(ways):
            rows, action = ways[name]
            found[name].append(spent(action, rows, info.pid))
        correct &= same(handler, ours, table) and same(handler, stock, small) and same(handler, ready, table)
    return {
        "rows": chosen.rows,
        "peer_rows": chosen.peer_rows,
        "correct": correct,
        "ways": {
            name: {
                "rows_per_second": round(median(s.speed for s in rounds)),
                "cpu_seconds_per_million": round(median(s.cpu for s in rounds), 2),
                "server_cpu_seconds_per_million": round(median(s.server_cpu for s in rounds), 2),
            }
            for name, rounds in found.items()
        },
        "ratio_to_client": round(ratio(found["gridlake"], found["stock"]), 1),
        "share_of_ready_made": round(ratio(found["gridlake"], found["ready_made"]), 2),
        "rounds": {name: [round(s.speed) for s in rounds] for name, rounds in found.items()},
    }


def ratio(ours: list[Spent], theirs: list[Spent]) -> float:
    """Median of the rounds' ratios."""
    return median(a.speed / b.speed for a, b in zip(ours, theirs, strict=True))


def with_source_rows(table: pa.Table) -> pa.Table:
    """The table as silver has it: each row with its line in the publisher's file."""
    return table.append_column("_source_row", pa.array(np.arange(table.num_rows) + 2))


def footprint(action: str, files: list[Path], info: InfluxInfo, name: str, folder: Path) -> dict[str, float]:
    """Seconds and extra memory of a load or of its verification; runs in a process of its own."""
    handler = handler_of(info)
    handler.ping()
    pa.array([1.0]).to_numpy()
    before, peak, done = heap(), heap(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, heap())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        if action == "load":
            load_ours(files, handler, name, folder)
        else:
            partitions = [PartitionRef(str(file)) for file in files]
            months = list(verify_months(contract_of(name), partitions, handler))
            if any(month.differences for month in months):
                raise SystemExit("lake and InfluxDB differ")
        seconds = time.perf_counter() - started
    finally:
        done.set()
        watcher.join()
    return {"seconds": round(seconds, 1), "extra_mb": round((peak - before) / 1e6)}


def heap() -> int:
    """Bytes of anonymous memory of this process; mapped files are the page cache's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def footprints(rows: int, folder: Path, info: InfluxInfo) -> list[dict[str, Any]]:
    """Time and memory of loading and verifying, for the rows and for five times as many."""
    found = []
    for count in (rows, 5 * rows):
        files = silver_of(with_source_rows(table_of(count)), folder / f"silver_{count}")
        for action in ("load", "verify"):
            rest(info.pid)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
                result = other.submit(footprint, action, files, info, f"memory_{count}", folder).result()
            found.append({"action": action, "rows": count, "months": len(files), **result})
    return found


def print_result(result: dict[str, Any]) -> None:
    """Print JSON and the rows of tables."""
    print(json.dumps(result))
    titles = {
        "stock": "influxdb-client, data frame, synchronous",
        "gridlake": "gridlake, Parquet to points",
        "ready_made": f"posting ready-made bytes, {WRITERS} writers",
    }
    print(
        f"| load into InfluxDB {result['influxdb']} | rows/s | CPU s per million rows: client | server "
        "| gridlake is |"
    )
    print("|---|---|---|---|---|")
    shares = {
        "stock": f"{result['ratio_to_client']} times it",
        "gridlake": "",
        "ready_made": f"{result['share_of_ready_made']:.0%} of it",
    }
    for name, way in result["ways"].items():
        print(
            f"| {titles[name]} | {way['rows_per_second']:,} | {way['cpu_seconds_per_million']} "
            f"| {way['server_cpu_seconds_per_million']} | {shares[name]} |"
        )
    print()
    print("| memory | rows | months | seconds | extra memory |")
    print("|---|---|---|---|---|")
    for part in result["memory"]:
        print(
            f"| {part['action']} | {part['rows']:,} | {part['months']} | {part['seconds']} | {part['extra_mb']} MB |"
        )
    if not result["correct"]:
        raise SystemExit("what was read back is not what was written")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--peer-rows", type=int, default=1_000_000, help="rows of the stock client")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--port", type=int, default=18_095)
    chosen = options.parse_args()

    if not shutil.which("influxd"):
        with suppress(
            InfluxStartError
        ):  # then there is a container or INFLUXDB_URL, or `start` says what is missing
            binary = unpack_package(ROOT / "build" / "influxdb")
            os.environ["PATH"] += f"{os.pathsep}{binary.parent}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server = InfluxServer(folder / "influx", chosen.port)
        info = server.start()
        try:
            load = round(os.getloadavg()[0], 1)
            result = measure(chosen, folder, info)
            memory = footprints(chosen.rows, folder, info)
        finally:
            server.stop()
    print_result(
        {"benchmark": "influx_load", "influxdb": info.version, "load": load, **result, "memory": memory}
    )


if __name__ == "__main__":
    main()
