"""Rows per second of the line protocol serialiser against influxdb-client's, on the same tables in the same run.

Run: ``PYTHONPATH=layers/shared python benchmarks/line_protocol.py [--rows N] [--peer-rows N] [--rounds N]``.
Prints one JSON object and the rows of a Markdown table. Both texts are parsed back and compared value by value; then every
trap of line protocol is written to a real server and read back (tests/integration/timeseries/test_line_protocol_oracle.py).

The contenders take turns and figures are medians, so that a busy machine hits all of them; a ratio is the median of the
rounds' own ratios. CPU is user and system time of all threads, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from influxdb_client.client.write.dataframe_serializer import DataframeSerializer
from influxdb_client.client.write_api import PointSettings

from gridlake.timeseries.line_protocol import Serialiser, serialise

ROOT = Path(__file__).resolve().parents[1]
ORACLE = "tests/integration/timeseries/test_line_protocol_oracle.py"
TAGS = ["plant", "subsystem", "fuel"]
FIELDS = ["generation_mw", "capacity_mw", "availability_mw", "reference_mw"]
MEASUREMENT = "ons_generation_by_plant_hourly"
PLANTS = 800
SAMPLE = 20_000
SUBSYSTEMS = ["N", "NE", "S", "SE"]


@dataclass(frozen=True)
class Shape:
    """A kind of table: how it is made and what its columns are."""

    title: str
    measurement: str
    tags: list[str]
    fields: list[str]
    table: Callable[[int], pa.Table]


@dataclass(frozen=True)
class Spent:
    """Seconds of wall clock and of CPU, all threads of this process."""

    wall: float
    cpu: float


def coded(values: list[str], codes: Any) -> pa.DictionaryArray:
    """A dictionary-encoded column of tags."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values))


def times(hours: Any) -> pa.Array:
    """Hours since 2023 as timestamps."""
    return pa.array((1_672_531_200 + hours * 3600) * 1_000_000, pa.timestamp("us", "UTC"))


def table_of(rows: int) -> pa.Table:
    """Hourly generation of `PLANTS` plants: three tags, four float fields of three decimals, no nulls."""
    random = np.random.default_rng(7)
    plant = np.arange(rows) % PLANTS
    return pa.table(
        {
            "time": times(np.arange(rows) // PLANTS),
            "plant": coded([f"Usina São {n}" for n in range(PLANTS)], plant),
            "subsystem": coded(SUBSYSTEMS, plant % 4),
            "fuel": coded(["wind", "solar", "hydro", "gas", "biomass"], plant % 5),
            **{name: np.round(random.gamma(2.0, 150.0, rows), 3) for name in FIELDS},
        }
    )


def load_table(rows: int) -> pa.Table:
    """Hourly load of four subsystems: one tag, one float field, as ONS publishes it."""
    random = np.random.default_rng(8)
    return pa.table(
        {
            "time": times(np.arange(rows) // 4 % 400_000),
            "subsystem": coded(SUBSYSTEMS, np.arange(rows) % 4),
            "load_mw": np.round(random.normal(18_000.0, 4_000.0, rows), 5),
        }
    )


SHAPES = (
    Shape("3 tags, 4 fields", MEASUREMENT, TAGS, FIELDS, table_of),
    Shape("1 tag, 1 field", "ons_load_hourly", ["subsystem"], ["load_mw"], load_table),
)


def streamed(table: pa.Table, shape: Shape) -> int:
    """Serialise as the loader does, some thousand rows after the other; bytes made."""
    serialiser = Serialiser(shape.measurement, tags=shape.tags, fields=shape.fields)
    return sum(len(lines.payload()) for lines in serialiser.lines(table))


def one_buffer(table: pa.Table, shape: Shape) -> bytes | memoryview:
    """Serialise into one buffer, as influxdb-client does."""
    return serialise(table, measurement=shape.measurement, tags=shape.tags, fields=shape.fields)


def peer(frame: pd.DataFrame, shape: Shape) -> bytes:
    """Serialise with influxdb-client's DataframeSerializer."""
    serialiser = DataframeSerializer(
        frame,
        PointSettings(),
        data_frame_measurement_name=shape.measurement,
        data_frame_tag_columns=shape.tags,
    )
    return "\n".join(serialiser.serialize()).encode()


def frame_of(table: pa.Table, tags: list[str]) -> pd.DataFrame:
    """The data frame that influxdb-client wants: time as index, tags as strings."""
    frame = table.to_pandas().set_index("time")
    for tag in tags:
        frame[tag] = frame[tag].astype(str)
    return frame


def timed(action: Callable[[], Any]) -> Spent:
    """Seconds that an action takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def parsed(text: bytes | memoryview) -> dict[tuple[str, int], dict[str, float]]:
    """Fields of each point, whatever the order of lines."""
    points = {}
    for line in bytes(text).decode().splitlines():
        head, fields, stamp = line.rsplit(" ", 2)
        points[head, int(stamp)] = {k: float(v) for k, v in (f.split("=") for f in fields.split(","))}
    return points


def measure(shape: Shape, rows: int, peer_rows: int, rounds: int) -> dict[str, Any]:
    """Rows per second of each serialiser and how many times influxdb-client's they are."""
    table = shape.table(rows)
    frame = frame_of(table.slice(0, peer_rows), shape.tags)
    same = parsed(one_buffer(table.slice(0, SAMPLE), shape)) == parsed(peer(frame.iloc[:SAMPLE], shape))
    contenders: dict[str, tuple[int, Callable[[], Any]]] = {
        "influxdb_client": (len(frame), lambda: peer(frame, shape)),
        "streamed": (rows, lambda: streamed(table, shape)),
        "one_buffer": (rows, lambda: one_buffer(table, shape)),
    }
    size = streamed(table, shape)
    speeds: dict[str, list[Spent]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (count, action) in contenders.items():
            spent = timed(action)
            speeds[name].append(Spent(count / spent.wall, count / spent.cpu))
    slow = speeds["influxdb_client"]
    return {
        "shape": shape.title,
        "bytes": size,
        "correct": same,
        "serialisers": {
            name: {
                "rows": contenders[name][0],
                "rows_per_second": round(median(s.wall for s in found)),
                "rows_per_cpu_second": round(median(s.cpu for s in found)),
                "ratio": round(median(s.wall / p.wall for s, p in zip(found, slow, strict=True)), 1),
                "cpu_ratio": round(median(s.cpu / p.cpu for s, p in zip(found, slow, strict=True)), 1),
            }
            for name, found in speeds.items()
        },
    }


def traps() -> dict[str, int]:
    """Write every trap to a real server and read it back: how many cases are right and wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ORACLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    wrong = counts.get("failed", 0) + counts.get("error", 0)
    return {"right": counts.get("passed", 0), "wrong": wrong or int(done.returncode != 0)}


def print_result(result: dict[str, Any]) -> None:
    """Print JSON and the rows of a table."""
    titles = {
        "influxdb_client": "influxdb-client DataFrame",
        "streamed": "gridlake, streamed as loads are",
        "one_buffer": "gridlake, one buffer, threads",
    }
    print(json.dumps(result))
    print("| table | serialiser | rows | rows/s | ratio | rows per CPU second | CPU ratio |")
    print("|---|---|---|---|---|---|---|")
    for shape in result["shapes"]:
        for name, found in shape["serialisers"].items():
            print(
                f"| {shape['shape']} | {titles[name]} | {found['rows']:,} | {found['rows_per_second']:,} "
                f"| {found['ratio']} | {found['rows_per_cpu_second']:,} | {found['cpu_ratio']} |"
            )
    print()
    print("| traps written to a server and read back, or refused | cases |")
    print("|---|---|")
    print(f"| right | {result['traps']['right']} |")
    print(f"| wrong | {result['traps']['wrong']} |")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--peer-rows", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    shapes = [measure(shape, chosen.rows, chosen.peer_rows, chosen.rounds) for shape in SHAPES]
    result = {
        "benchmark": "line_protocol",
        "load": round(os.getloadavg()[0], 1),
        "shapes": shapes,
        "traps": traps(),
    }
    print_result(result)
    if not all(shape["correct"] for shape in shapes):
        raise SystemExit("the two serialisers disagree")
    if result["traps"]["wrong"] or not result["traps"]["right"]:
        raise SystemExit("line protocol is not read back as it was written")


if __name__ == "__main__":
    main()
