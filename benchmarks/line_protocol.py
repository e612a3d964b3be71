"""Rows per second of the line protocol serialiser against influxdb-client's, on the same table in the same run.

Run: ``PYTHONPATH=layers/shared python benchmarks/line_protocol.py [--rows N] [--peer-rows N]``.
Prints one JSON object and the rows of a markdown table. Both texts are parsed back and compared value by value.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from influxdb_client.client.write.dataframe_serializer import DataframeSerializer
from influxdb_client.client.write_api import PointSettings

from gridlake.timeseries.line_protocol import Serialiser, serialise

TAGS = ["plant", "subsystem", "fuel"]
FIELDS = ["generation_mw", "capacity_mw", "availability_mw", "reference_mw"]
MEASUREMENT = "ons_generation_by_plant_hourly"
PLANTS = 800


def table_of(rows: int) -> pa.Table:
    """Hourly generation of `PLANTS` plants: three tags, four float fields of three decimals, no nulls."""
    random = np.random.default_rng(7)
    plant = np.arange(rows) % PLANTS
    hour = np.arange(rows) // PLANTS

    def coded(values: list[str], codes: Any) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values))

    times = (1_672_531_200 + hour * 3600) * 1_000_000
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "plant": coded([f"Usina São {n}" for n in range(PLANTS)], plant),
            "subsystem": coded(["N", "NE", "S", "SE"], plant % 4),
            "fuel": coded(["wind", "solar", "hydro", "gas", "biomass"], plant % 5),
            **{name: np.round(random.gamma(2.0, 150.0, rows), 3) for name in FIELDS},
        }
    )


def streamed(table: pa.Table) -> int:
    """Serialise as the loader does, some thousand rows after the other; bytes made."""
    serialiser = Serialiser(MEASUREMENT, tags=TAGS, fields=FIELDS)
    return sum(len(lines.payload()) for lines in serialiser.lines(table))


def ours(table: pa.Table) -> bytes | memoryview:
    """Serialise into one buffer."""
    return serialise(table, measurement=MEASUREMENT, tags=TAGS, fields=FIELDS)


def peer(frame: pd.DataFrame) -> bytes:
    """Serialise with influxdb-client's DataframeSerializer."""
    serialiser = DataframeSerializer(
        frame,
        PointSettings(),
        data_frame_measurement_name=MEASUREMENT,
        data_frame_tag_columns=TAGS,
    )
    return "\n".join(serialiser.serialize()).encode()


def timed(action: Callable[[], Any]) -> float:
    """Seconds of wall clock."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def parsed(text: bytes | memoryview) -> dict[tuple[str, int], dict[str, float]]:
    """Fields of each point, whatever the order of lines."""
    points = {}
    for line in bytes(text).decode().splitlines():
        head, fields, stamp = line.rsplit(" ", 2)
        points[head, int(stamp)] = {k: float(v) for k, v in (f.split("=") for f in fields.split(","))}
    return points


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--peer-rows", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()

    table = table_of(chosen.rows)
    frame = table.slice(0, chosen.peer_rows).to_pandas(types_mapper=None).set_index("time")
    for tag in TAGS:
        frame[tag] = frame[tag].astype(str)

    sample = 20_000
    same = parsed(ours(table.slice(0, sample))) == parsed(peer(frame.iloc[:sample]))
    seconds: dict[str, list[float]] = {"peer": [], "streamed": [], "one_buffer": []}
    size = streamed(table)
    for _ in range(chosen.rounds):
        # In turns, so that a busy moment of the machine hits all of them.
        seconds["peer"].append(timed(lambda: peer(frame)))
        seconds["streamed"].append(timed(lambda: streamed(table)))
        seconds["one_buffer"].append(timed(lambda: ours(table)))
    peer_speed = chosen.peer_rows / min(seconds["peer"])
    our_speed = chosen.rows / min(seconds["streamed"])
    buffer_speed = chosen.rows / min(seconds["one_buffer"])

    result = {
        "benchmark": "line_protocol",
        "rows": chosen.rows,
        "bytes": size,
        "correct": same,
        "gridlake_rows_per_second": round(our_speed),
        "gridlake_one_buffer_rows_per_second": round(buffer_speed),
        "influxdb_client_rows_per_second": round(peer_speed),
        "ratio": round(our_speed / peer_speed, 1),
    }
    print(json.dumps(result))
    print("| serialiser | rows/s | ratio |")
    print("|---|---|---|")
    print(f"| influxdb-client DataFrame | {peer_speed:,.0f} | 1.0 |")
    print(f"| gridlake, streamed | {our_speed:,.0f} | {our_speed / peer_speed:.1f} |")
    print(f"| gridlake, one buffer, two threads | {buffer_speed:,.0f} | {buffer_speed / peer_speed:.1f} |")
    if not same:
        raise SystemExit("the two serialisers disagree")


if __name__ == "__main__":
    main()
