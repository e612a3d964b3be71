"""Nothing that a client writes into a query becomes syntax: tried through every text field, read back from a server."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Role, TimeSpec
from gridlake.knowledge.series import execute
from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.building import build
from gridlake.questions.influxql import plan
from gridlake.timeseries.handler import InfluxDBHandler
from tests.integration.timeseries.support import handler_of
from tests.servers import InfluxDatabase

PAYLOADS = (
    "'; DROP MEASUREMENT victim; --",
    "' OR '1'='1",
    "\\'; DROP MEASUREMENT victim; --",
    "\\\\'; DROP SERIES FROM victim; --",
    '"; DROP MEASUREMENT victim; --',
    '" FROM victim; DELETE FROM victim; SELECT "',
    "x' AND time > 0 GROUP BY * --",
    "/* */; DROP DATABASE gridlake",
    ") ; SELECT * INTO stolen FROM victim",
    "$name",
    "=~ /.*/",
    "ｆｕｌｌ' width",
)  # fmt: skip

BASE: dict[str, Any] = {"dataset": "victim", "start": "2024-01-01", "end": "2024-01-02"}


def contract_of(dataset: str = "victim", tag: str = "plant", field: str = "load_mw") -> Contract:
    return Contract(
        dataset=dataset,
        version="1.0.0",
        publisher="test",
        kind=Kind.SERIES,
        title={"en": "victim"},
        time=TimeSpec(columns=("t",), zone="UTC", interval="PT1H"),
        columns=(
            Column(name=tag, role=Role.TAG, key=True),
            Column(name=field, role=Role.FIELD, type=ColumnType.NUMBER, unit="MW", combine="sum"),
        ),
    )


def with_payload(text: str) -> list[dict[str, Any]]:
    return [
        {"dataset": text},
        {"measures": [text]},
        {"filters": {"plant": text}},
        {"filters": {"plant": [text, "A"]}},
        {"filters": {text: "A"}},
        {"start": text},
        {"end": text},
        {"window": text},
        {"aggregate": text},
        {"group_by": [text]},
        {"order": text},
        {"limit": text},
        {"percentile": text},
        {"units": {"load_mw": text}},
        {"units": {text: "GW"}},
        {text: text},
    ]


@pytest.fixture(scope="module")
def handler(influx_database: InfluxDatabase) -> Iterator[InfluxDBHandler]:
    connected = handler_of(influx_database("injection"))
    connected.write(
        b"victim,plant=A load_mw=1 1704067200000000000\nvictim,plant=B load_mw=2 1704067200000000000"
    )
    yield connected
    connected.close()


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("window", [None, "1d"])
def test_a_payload_is_refused_or_finds_nothing(
    handler: InfluxDBHandler, payload: str, window: str | None
) -> None:
    for change in with_payload(payload):
        request = BASE | ({"window": window} if window else {}) | change
        try:
            answer = execute(build(request, contract_of()), handler)
        except InvalidRequestError:
            continue
        asked = request.get("filters", {}).get("plant")
        found = {row[1] for row in answer["rows"]}
        assert found == ({"A"} if isinstance(asked, list) else set() if asked else {"A", "B"}), change
    measurements = [row[0] for series in handler.query("SHOW MEASUREMENTS") for row in series.values]
    assert measurements == ["victim"]
    assert sum(len(series.values) for series in handler.query('SELECT * FROM "victim"')) == 2


@pytest.mark.parametrize("payload", [text for text in PAYLOADS if text.isprintable()])
def test_names_of_a_hostile_contract_stay_names(handler: InfluxDBHandler, payload: str) -> None:
    for names in ({"dataset": payload}, {"tag": payload}, {"field": payload}):
        for parts in ({}, {"window": "1d"}, {"window": "1d", "group_by": []}):
            execute(build(BASE | parts, contract_of(**names)), handler)
    assert sum(len(series.values) for series in handler.query('SELECT * FROM "victim"')) == 2


def unquoted(statement: str) -> str:
    """A statement without its literals and quoted identifiers, by a scanner of InfluxQL's own rules."""
    return re.sub(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", "Q", statement)


@given(value=st.text(min_size=1, max_size=40), name=st.text(min_size=1, max_size=20), merge=st.booleans())
def test_the_shape_of_a_statement_never_depends_on_text(value: str, name: str, merge: bool) -> None:
    def shape(value: str, tag: str) -> list[str]:
        query = build(BASE | {"window": "1d"}, contract_of(tag="plant"))
        terms = [dataclasses.replace(term, name=tag) for term in query.measures]
        filters = (dataclasses.replace(_filter, tag=tag, values=(value,)) for _filter in _filters())
        changed = dataclasses.replace(
            query, measures=tuple(terms), filters=tuple(filters), group_by=(tag,), merges=merge, dataset=tag
        )
        return [unquoted(text) for text in plan(changed).statements]

    try:
        found = shape(value, name)
    except InvalidRequestError:
        return
    assert found == shape("A", "plant")
    assert all(";" not in text and "--" not in text for text in found)


def _filters() -> Iterator[Any]:
    from gridlake.questions.ir import TagFilter

    yield TagFilter("plant", ("A",))
    yield TagFilter("plant", ("A",), exclude=True)
