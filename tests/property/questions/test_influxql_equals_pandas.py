"""InfluxQL on a real server gives what pandas computes from the same points, whatever is asked."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Member, Role, TimeSpec
from gridlake.knowledge.series import execute
from gridlake.questions.building import build
from gridlake.timeseries.handler import InfluxDBHandler
from tests.integration.timeseries.support import handler_of
from tests.servers import InfluxDatabase

from .reference import answer

ZONES = ("America/Sao_Paulo", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "UTC")
SUBSYSTEMS = ("N", "NE", "S", "SE", "SIN")
PLANTS = ("Itaipu", "Água 'Vermelha'")


@dataclass(frozen=True, repr=False)
class World:
    contract: Contract
    points: pd.DataFrame


def contract_of(name: str, zone: str, interval: str) -> Contract:
    number = ColumnType.NUMBER
    members = tuple(
        Member(code=code, aggregates=SUBSYSTEMS[:4] if code == "SIN" else ()) for code in SUBSYSTEMS
    )
    return Contract(
        dataset=name,
        version="1.0.0",
        publisher="test",
        kind=Kind.SERIES,
        title={"en": name},
        time=TimeSpec(columns=("t",), zone=zone, interval=interval),
        columns=(
            Column(name="subsystem", role=Role.TAG, key=True, members=members, closed=True),
            Column(name="plant", role=Role.TAG, key=True),
            Column(name="load_mw", role=Role.FIELD, type=number, unit="MW", combine="sum"),
            Column(name="level_pct", role=Role.FIELD, type=number, unit="%", combine="mean"),
            Column(name="flow_mw", role=Role.FIELD, type=number, unit="kW", combine="sum"),
        ),
    )


def points_of(zone: str, interval: str, seed: int) -> pd.DataFrame:
    """Random points over summer-time changes, with gaps, nulls, negative values and a total beside its members."""
    random = np.random.default_rng(seed)
    frequency = {"PT1H": "1h", "PT30M": "30min", "P1D": "1D"}[interval]
    spans = [("2018-10-25", "2018-11-10"), ("2018-12-24", "2019-02-20"), ("2019-03-28", "2019-04-03")]
    if interval == "P1D":
        spans = [("2017-09-20", "2019-04-10")]
    chunks = []
    for first, last in spans:
        if interval == "P1D":
            wall = pd.date_range(first, last, freq="1D")
            times = wall.tz_localize(zone, ambiguous=[True] * len(wall), nonexistent="shift_forward")
            times = times.tz_convert("UTC")
        else:
            times = pd.date_range(first, last, freq=frequency, tz="UTC")
        for subsystem, plant in itertools.product(SUBSYSTEMS, PLANTS):
            chunk = pd.DataFrame({"time": times, "subsystem": subsystem, "plant": plant})
            for name in ("load_mw", "level_pct", "flow_mw"):
                chunk[name] = np.round(random.normal(50, 40, len(chunk)), 3)
                chunk.loc[random.random(len(chunk)) < 0.1, name] = np.nan
            chunks.append(chunk[random.random(len(chunk)) > 0.2])
    return pd.concat(chunks, ignore_index=True)


def lines(name: str, points: pd.DataFrame) -> Iterator[str]:
    for row in points.itertuples(index=False):
        fields = {"load_mw": row.load_mw, "level_pct": row.level_pct, "flow_mw": row.flow_mw}
        written = ",".join(f"{key}={value!r}" for key, value in fields.items() if not math.isnan(value))
        if written:
            plant = str(row.plant).replace(" ", "\\ ")
            yield f"{name},plant={plant},subsystem={row.subsystem} {written} {row.time.value}"


@pytest.fixture(scope="module")
def handler(influx_database: InfluxDatabase) -> Iterator[InfluxDBHandler]:
    connected = handler_of(influx_database("questions"))
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def worlds(handler: InfluxDBHandler) -> list[World]:
    found = []
    for number, (zone, interval) in enumerate(itertools.product(ZONES, ("PT1H", "PT30M", "P1D"))):
        if interval == "PT30M" and zone != "Europe/Berlin":
            continue
        name = f"world{number}"
        points = points_of(zone, interval, number)
        text = list(lines(name, points))
        for block in itertools.batched(text, 5000, strict=False):
            handler.write("\n".join(block).encode())
        found.append(World(contract_of(name, zone, interval), points))
    return found


AGGREGATES = (
    "mean", "sum", "min", "max", "count", "median", "percentile", "stddev", "spread", "first", "last", "energy",
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.datetimes(dt.datetime(2017, 9, 1), dt.datetime(2019, 4, 5)))
    start = start.replace(minute=start.minute // 30 * 30, second=0, microsecond=0)
    length = draw(st.integers(8, 24 * 400))
    request: dict[str, Any] = {
        "start": start.isoformat() + draw(st.sampled_from(["", "Z", "-03:00"])),
        "end": (start + dt.timedelta(hours=length)).isoformat() + "+00:00",
        "window": draw(
            st.sampled_from(
                [None, "15m", "30m", "1h", "2h", "3h", "6h", "12h", "1d", "1w", "1mo", "1q", "1y"]
            )
        ),
        "order": draw(st.sampled_from(["asc", "desc"])),
        "limit": draw(st.sampled_from([1, 7, 100, 10_000])),
    }
    group_by = draw(
        st.sampled_from([None, [], ["subsystem"], ["plant"], ["subsystem", "plant"], ["plant", "subsystem"]])
    )
    if group_by is not None:
        request["group_by"] = group_by
    aggregate = draw(st.sampled_from([None, *AGGREGATES]))
    request["aggregate"] = aggregate
    if aggregate == "percentile":
        request["percentile"] = draw(st.sampled_from([1, 5, 33.3, 50, 95, 99.5, 100]))
    measures = draw(st.lists(st.sampled_from(["load_mw", "level_pct", "flow_mw"]), min_size=1, unique=True))
    if aggregate == "energy":
        measures = [name for name in measures if name != "level_pct"] or ["load_mw"]
    request["measures"] = measures
    filters: dict[str, Any] = {}
    wanted = draw(st.sampled_from([None, "N", "SIN", ["N", "NE"], ["SE"], ["S", "SE", "NE"]]))
    if wanted:
        filters["subsystem"] = wanted
    plant = draw(st.sampled_from([None, None, *PLANTS, list(PLANTS), "No such plant"]))
    if plant:
        filters["plant"] = plant
    request["filters"] = filters
    if "load_mw" in measures and aggregate not in {"count", "energy"} and draw(st.booleans()):
        request["units"] = {"load_mw": "GW"}
    return request


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 1000), request=requests())
def test_influxql_equals_pandas(
    handler: InfluxDBHandler, worlds: list[World], position: int, request: dict[str, Any]
) -> None:
    world = worlds[position % len(worlds)]
    query = build({name: value for name, value in request.items() if value is not None}, world.contract)
    got = execute(query, handler)
    expected = answer(world.points, query)
    assert got["truncated"] == (len(expected) > query.limit), got["query"]
    expected = expected[: query.limit]
    width = 1 + len(query.group_by)
    assert [row[:width] for row in got["rows"]] == [row[:width] for row in expected], got["query"]
    for row, wanted in zip(got["rows"], expected, strict=True):
        values = [math.nan if value is None else value for value in row[width:]]
        np.testing.assert_allclose(values, np.array(wanted[width:], dtype=float), rtol=1e-9, atol=1e-9)
