"""Whatever the tags, names and numbers: a point is read back as it was, or refused by a typed error."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gridlake.timeseries.errors import LineProtocolError
from gridlake.timeseries.handler import InfluxDBHandler, quote_identifier
from gridlake.timeseries.line_protocol import Serialiser, serialise
from tests.integration.timeseries.support import handler_of
from tests.servers import InfluxDatabase

real_server = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Weighted towards the characters that mean something to line protocol, InfluxQL, CSV or a URL.
texts = st.one_of(
    st.text(st.sampled_from("ab,= \"'\\#\n\r\t;+&%é⚡\0"), min_size=1, max_size=8),
    st.text(min_size=1, max_size=12),
)
NUMBERS = itertools.count()
floats = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(scope="module")
def handler(influx_database: InfluxDatabase) -> Iterator[InfluxDBHandler]:
    connected = handler_of(influx_database("line_protocol"))
    yield connected
    connected.close()


@real_server
@given(texts, texts, texts, texts, floats)
@example("m", "t", "a\\,b", "f", -0.0)
@example("m", "t", "a\\", "f", 1.0)
@example("m\\,x", "t\\=", "v\\ ", "f\\", 5e-324)
@example("m\\=", "t", "v", "f", 1.0)
@example("m", "t", "v", "\\=", 1.0)
@example("m", "t", "v", '\\"', 1.0)
def test_a_point_survives_or_is_refused(
    handler: InfluxDBHandler, measurement: str, tag: str, value: str, field: str, number: float
) -> None:
    # The index remembers names after a DELETE: each example has a measurement of its own.
    measurement = f"{measurement}_{next(NUMBERS)}"
    table = pa.table(
        {"time": pa.array([7], pa.timestamp("ns", "UTC")), "a": [value], "b": [number]}
    ).rename_columns(["time", tag, field])
    try:
        payload = serialise(table, measurement=measurement, tags=[tag], fields=[field])
    except (LineProtocolError, pa.ArrowInvalid, KeyError):
        assert_refusable(measurement, tag, value, field)
        return
    name = quote_identifier(measurement)
    handler.write(payload)
    (series,) = handler.query(f"SELECT * FROM {name}")
    (row,) = series.values
    point = dict(zip(series.columns, row, strict=True))
    assert series.name == measurement
    # Whole numbers come as JSON integers, with zeros after the seventeenth digit.
    assert point | {field: float(point[field])} == {"time": 7, tag: value, field: number}


def assert_refusable(measurement: str, tag: str, value: str, field: str) -> None:
    """Only what line protocol can't carry is refused."""
    every = (measurement, tag, value, field)
    assert (
        any("\n" in t or "\r" in t or t.endswith("\\") or "\0" in t for t in every)
        or any(character < " " for name in (measurement, tag, field) for character in name)
        or any(re.search(r'\\[,= "]', name) for name in (measurement, tag, field))
        or measurement.startswith("#")
        or tag == field
        or {tag, field} & {"time", "_field", "_measurement"}
    )


@real_server
@given(st.lists(floats, min_size=1, max_size=50))
def test_floats_come_back_bit_by_bit(handler: InfluxDBHandler, numbers: list[float]) -> None:
    table = pa.table({"time": pa.array(range(len(numbers)), pa.timestamp("ns")), "f": numbers})
    handler.query("DELETE FROM floats")
    handler.write(serialise(table, measurement="floats", tags=[], fields=["f"]))
    found = [float(row[1]) for row in handler.query("SELECT f FROM floats")[0].values]
    assert found == numbers
    body = handler.csv("SELECT f FROM floats").decode().splitlines()[1:]
    exact = np.array([float(line.split(",")[3]) for line in body])
    assert exact.view(np.int64).tolist() == np.array(numbers).view(np.int64).tolist()


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["", "N", "a b", "x\n", "y\\"])),
        st.one_of(st.none(), floats, st.just(math.nan), st.just(math.inf)),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.integers(-(10**15), 10**15)),
    ),
    max_size=30,
)


@given(rows, st.booleans())
def test_every_row_has_a_line_or_a_reason(data: list[tuple], coded: bool) -> None:  # type: ignore[type-arg]
    tags = pa.array([r[0] for r in data], pa.string())
    table = pa.table(
        {
            "time": pa.array([r[3] for r in data], pa.timestamp("us", "UTC")),
            "t": tags.dictionary_encode() if coded else tags,
            "f": pa.array([r[1] for r in data], pa.float64(), from_pandas=False),
            "i": pa.array([r[2] for r in data], pa.int64()),
        }
    )
    lines, refused = [], set()
    for part in Serialiser("m", tags=["t"], fields=["f", "i"]).lines(table):
        lines += list(zip(part.rows.tolist(), part.text.to_pylist(), strict=True))
        refused |= {r.row for r in part.refused}
    for number, (tag, value, integer, stamp) in enumerate(data):
        bad = stamp is None or tag in ("x\n", "y\\") or value == math.inf
        assert (number in refused) == bad
        expected = []
        if value is not None and not math.isnan(value):
            expected.append(float(value))
        found = [text for row, text in lines if row == number]
        if bad or (not expected and integer is None):
            assert found == []
            continue
        (text,) = found
        head, fields, time = text.removesuffix("\n").rsplit(" ", 2)
        assert head == ("m" if not tag else "m,t=" + tag.replace(" ", "\\ "))
        assert int(time) == stamp * 1000
        values = dict(pair.split("=") for pair in fields.split(","))
        written = [float(values["f"])] if "f" in values else []
        assert written == expected
        assert values.get("i") == (None if integer is None else f"{integer}i")
