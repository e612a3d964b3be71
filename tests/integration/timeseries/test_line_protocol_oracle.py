"""Every trap of line protocol, judged by a real server: what was written is read back, or was refused by a typed error."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from gridlake.timeseries.errors import LineProtocolError
from gridlake.timeseries.handler import InfluxDBHandler, quote_identifier
from gridlake.timeseries.line_protocol import serialise

INSTANT = 1_700_000_000_123_456_789

TAG_VALUES = {
    "plain": "NE",
    "comma": "a,b",
    "equals": "a=b",
    "space": "Sudeste Centro-Oeste",
    "leading and trailing space": " N ",
    "double quote": 'say "hi"',
    "single quote": "d'Oeste",
    "backslash inside": "a\\b",
    "backslash before comma": "a\\,b",
    "backslash before space": "a\\ b",
    "backslash before equals": "a\\=b",
    "two backslashes": "a\\\\b",
    "accents": "São João do Piauí",
    "emoji": "⚡",
    "hash": "#1",
    "tab": "a\tb",
    "number": "1",
    "boolean word": "true",
    "all escapes": "a, b=c\\d",
}
REFUSED_TAG_VALUES = {
    "newline": "a\nm,x=injected f=1 1",
    "carriage return": "a\rb",
    "CRLF": "a\r\nb",
    "trailing backslash": "a\\",
    "only a backslash": "\\",
    "NUL": "a\0b",
}
NAMES = {
    "plain": "load_mw",
    "space": "load mw",
    "comma": "load,mw",
    "equals": "load=mw",
    "quote": 'load"mw',
    "accents": "geração",
    "backslash": "a\\b",
}
REFUSED_NAMES = {
    "empty": "",
    "newline": "a\nb",
    "leading tab": "\ta",
    "NUL": "a\0b",
    "trailing backslash": "a\\",
    "time": "time",
    "_field": "_field",
    "_measurement": "_measurement",
}
FIELDS: dict[str, tuple[Any, pa.DataType]] = {
    "zero": (0.0, pa.float64()),
    "negative": (-12.5, pa.float64()),
    "whole float": (20.0, pa.float64()),
    "large exponent": (1e20, pa.float64()),
    "larger exponent": (1.5e300, pa.float64()),
    "largest": (1.7976931348623157e308, pa.float64()),
    "small exponent": (1e-7, pa.float64()),
    "smallest": (5e-324, pa.float64()),
    "seventeen digits": (0.1 + 0.2, pa.float64()),
    "largest integer": (2**63 - 1, pa.int64()),
    "smallest integer": (-(2**63), pa.int64()),
    "true": (True, pa.bool_()),
    "false": (False, pa.bool_()),
    "empty string": ("", pa.string()),
    "string with quote": ('a"b', pa.string()),
    "string with backslash": ("a\\b", pa.string()),
    "string with trailing backslash": ("a\\", pa.string()),
    "string with newline": ("a\nb", pa.string()),
    "string with separators": ("a, b=c", pa.string()),
}


def written(
    handler: InfluxDBHandler, measurement: str, table: pa.Table, tags: list[str], fields: list[str]
) -> list[dict[str, Any]]:
    handler.write(serialise(table, measurement=measurement, tags=tags, fields=fields))
    found = handler.query(f"SELECT * FROM {quote_identifier(measurement)}")
    return [dict(zip(s.columns, row, strict=True)) for s in found for row in s.values]


def one_point(**columns: pa.Array) -> pa.Table:
    return pa.table({"time": pa.array([INSTANT], pa.timestamp("ns", "UTC")), **columns})


@pytest.mark.parametrize("value", TAG_VALUES.values(), ids=TAG_VALUES.keys())
def test_tag_value_survives(handler: InfluxDBHandler, measurement: str, value: str) -> None:
    table = one_point(subsystem=pa.array([value]), f=pa.array([1.5]))
    assert written(handler, measurement, table, ["subsystem"], ["f"]) == [
        {"time": INSTANT, "subsystem": value, "f": 1.5}
    ]


@pytest.mark.parametrize("value", REFUSED_TAG_VALUES.values(), ids=REFUSED_TAG_VALUES.keys())
def test_tag_value_is_refused(value: str) -> None:
    table = one_point(subsystem=pa.array([value]), f=pa.array([1.5]))
    with pytest.raises(LineProtocolError, match="subsystem") as refusal:
        serialise(table, measurement="m", tags=["subsystem"], fields=["f"])
    assert refusal.value.row == 0


@pytest.mark.parametrize("place", ["measurement", "tag", "field"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_name_survives(handler: InfluxDBHandler, measurement: str, place: str, name: str) -> None:
    names = {"measurement": measurement, "tag": "t", "field": "f"}
    names[place] = measurement + name if place == "measurement" else name
    table = one_point(**{names["tag"]: pa.array(["x"]), names["field"]: pa.array([2.5])})
    assert written(handler, names["measurement"], table, [names["tag"]], [names["field"]]) == [
        {"time": INSTANT, names["tag"]: "x", names["field"]: 2.5}
    ]


@pytest.mark.parametrize("place", ["tag", "field"])
@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES.keys())
def test_name_is_refused(place: str, name: str) -> None:
    table = one_point(f=pa.array([1.0]))
    names = {"tag": [name] if place == "tag" else [], "field": [name] if place == "field" else ["f"]}
    with pytest.raises(LineProtocolError):
        serialise(table, measurement="m", tags=names["tag"], fields=names["field"])


@pytest.mark.parametrize("name", ["", "#comment", "a\nb", "a\\"])
def test_measurement_is_refused(name: str) -> None:
    with pytest.raises(LineProtocolError):
        serialise(one_point(f=pa.array([1.0])), measurement=name, tags=[], fields=["f"])


@pytest.mark.parametrize(("value", "kind"), FIELDS.values(), ids=FIELDS.keys())
def test_field_survives(handler: InfluxDBHandler, measurement: str, value: Any, kind: pa.DataType) -> None:
    (point,) = written(handler, measurement, one_point(f=pa.array([value], kind)), [], ["f"])
    assert point["f"] == value


def test_minus_zero_keeps_its_sign(handler: InfluxDBHandler, measurement: str) -> None:
    handler.write(serialise(one_point(f=pa.array([-0.0])), measurement=measurement, tags=[], fields=["f"]))
    assert handler.csv(f"SELECT f FROM {measurement}").splitlines()[1].endswith(b",-0")


def test_tag_and_field_of_one_name_are_refused() -> None:
    with pytest.raises(LineProtocolError, match="twice"):
        serialise(one_point(f=pa.array([1.0])), measurement="m", tags=["f"], fields=["f"])


def test_infinity_is_refused_with_its_row() -> None:
    times = pa.array([1, 2], pa.timestamp("ns"))
    with pytest.raises(LineProtocolError, match="infinite") as refusal:
        serialise(pa.table({"time": times, "f": [1.0, math.inf]}), measurement="m", tags=[], fields=["f"])
    assert refusal.value.row == 1


def test_unsigned_overflow_and_missing_time_are_refused() -> None:
    with pytest.raises(LineProtocolError, match="64-bit"):
        serialise(one_point(f=pa.array([2**63], pa.uint64())), measurement="m", tags=[], fields=["f"])
    with pytest.raises(LineProtocolError, match="time is missing"):
        serialise(
            pa.table({"time": pa.array([None], pa.timestamp("ns")), "f": [1.0]}),
            measurement="m",
            tags=[],
            fields=["f"],
        )


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", 10**10),
        ("us", 2**63 - 1),
        ("ms", -(2**62)),
        ("ns", 2**63 - 1),
        ("ns", -(2**63)),
        ("ns", -(2**63) + 1),
    ],
)
def test_time_outside_the_servers_range_is_refused(unit: Any, value: int) -> None:
    table = pa.table({"time": pa.array([value], pa.timestamp(unit)), "f": [1.0]})
    with pytest.raises(LineProtocolError, match="outside"):
        serialise(table, measurement="m", tags=[], fields=["f"])


@pytest.mark.parametrize("value", [-(2**63) + 2, -1, 0, 1, 2**63 - 2])
def test_extreme_times_survive(handler: InfluxDBHandler, measurement: str, value: int) -> None:
    table = pa.table({"time": pa.array([value], pa.timestamp("ns")), "f": [1.0]})
    handler.write(serialise(table, measurement=measurement, tags=[], fields=["f"]))
    found = handler.query(
        f"SELECT f FROM {measurement} WHERE time >= -9223372036854775806 AND time <= 9223372036854775806"
    )
    assert found[0].values == [[value, 1]]


def test_nulls_nan_and_empty_tags_are_absent(handler: InfluxDBHandler, measurement: str) -> None:
    table = pa.table(
        {
            "time": pa.array([1, 2, 3, 4], pa.timestamp("ns", "UTC")),
            "t": pa.array(["x", "", None, "y"]),
            "f": pa.array([1.0, None, math.nan, None]),
            "g": pa.array([None, 2.0, 3.0, None]),
        }
    )
    assert written(handler, measurement, table, ["t"], ["f", "g"]) == [
        {"time": 1, "t": "x", "f": 1, "g": None},
        {"time": 2, "t": None, "f": None, "g": 2},
        {"time": 3, "t": None, "f": None, "g": 3},
    ]


def test_whole_numbers_stay_floats(handler: InfluxDBHandler, measurement: str) -> None:
    written(handler, measurement, one_point(f=pa.array([20.0])), [], ["f"])
    kinds = handler.query(f"SHOW FIELD KEYS FROM {measurement}")
    assert kinds[0].values == [["f", "float"]]
