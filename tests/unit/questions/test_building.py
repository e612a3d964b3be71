"""What a request means, and what is said about one that means nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gridlake.contracts.registry import Registry
from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.building import build
from gridlake.questions.ir import Aggregate, SeriesQuery, TagFilter

RANGE = {"start": "2023-08-01", "end": "2023-09-01"}
REGISTRY = Registry.builtin()


def ask(dataset: str = "ons_load_hourly", **parts: Any) -> SeriesQuery:
    return build({"dataset": dataset, **RANGE, **parts}, REGISTRY.get(dataset))


def refused(dataset: str = "ons_load_hourly", **parts: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        ask(dataset, **parts)
    return caught.value


def test_a_date_is_local_midnight_and_the_end_is_not_included() -> None:
    query = ask()
    assert query.start == dt.datetime(2023, 8, 1, 3, tzinfo=dt.UTC)
    assert query.end == dt.datetime(2023, 9, 1, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", ["load_mw", "LOAD_MW", "val_cargaenergiahomwmed", "VAL_CARGAENERGIAHOMWMED"])
def test_a_measure_may_be_named_as_the_publisher_does(name: str) -> None:
    assert [term.name for term in ask(measures=[name]).measures] == ["load_mw"]


@pytest.mark.parametrize("value", ["NE", "ne", "Nordeste", "NORDESTE", "northeast", "região nordeste"])
def test_a_member_may_be_named_by_code_label_or_spelling(value: str) -> None:
    assert ask(filters={"subsystem": value}).filters == (TagFilter("subsystem", ("NE",)),)


def test_a_misspelt_measure_is_told_what_was_meant() -> None:
    error = refused(measures=["load_mv"])
    assert (error.error_code, error.details["pointer"]) == ("unknown_measure", "/measures/0")
    assert error.details["suggestions"] == ["load_mw"]
    assert error.details["allowed"] == ["load_mw"]


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"start": "yesterday"}, "/start"),
        ({"start": None}, "/start"),
        ({"end": "2023-07-01"}, "/end"),
        ({"end": 5}, "/end"),
        ({"end": "9999-12-31"}, "/end"),
        ({"window": "0s"}, "/window"),
        ({"window": "2d"}, "/window"),
        ({"window": ["1d"]}, "/window"),
        ({"aggregate": "average"}, "/aggregate"),
        ({"aggregate": "percentile"}, "/percentile"),
        ({"aggregate": "mean", "percentile": 5}, "/percentile"),
        ({"percentile": True}, "/percentile"),
        ({"group_by": ["plant"]}, "/group_by/0"),
        ({"group_by": {"subsystem": 1}}, "/group_by"),
        ({"filters": ["NE"]}, "/filters"),
        ({"filters": {"plant": "x"}}, "/filters/plant"),
        ({"filters": {"subsystem": []}}, "/filters/subsystem"),
        ({"filters": {"subsystem": "Mars"}}, "/filters/subsystem"),
        ({"filters": {"subsystem": ["NE", 5]}}, "/filters/subsystem"),
        ({"order": "up"}, "/order"),
        ({"limit": 0}, "/limit"),
        ({"limit": 10_001}, "/limit"),
        ({"limit": True}, "/limit"),
        ({"limit": float("inf")}, "/limit"),
        ({"units": {"load_mw": "BRL/MWh"}}, "/units/load_mw"),
        ({"units": {"load_mw": "furlong"}}, "/units/load_mw"),
        ({"units": "GW"}, "/units"),
        ({"units": {"load_mw": "GW"}, "aggregate": "count"}, "/units/load_mw"),
        ({"measures": "x" * 1000}, "/measures/0"),
        ({"measures": [["load_mw"]]}, "/measures/0"),
        ({"windows": "1d"}, "/windows"),
    ],
)
def test_each_mistake_is_pointed_at(parts: dict[str, Any], pointer: str) -> None:
    error = refused(**parts)
    assert error.details["pointer"] == pointer
    assert error.status == 400
    assert len(error.message) < 400


def test_the_aggregate_is_the_mean_where_only_a_window_is_given() -> None:
    assert ask(window="1d").aggregate is Aggregate.MEAN
    assert ask().aggregate is None


def test_totals_are_left_out_where_members_are_merged() -> None:
    merged = ask("ons_energy_balance_hourly", group_by=[])
    assert TagFilter("subsystem", ("SIN",), exclude=True) in merged.filters
    assert any("SIN" in notice for notice in merged.notices)
    assert ask("ons_energy_balance_hourly").filters == ()
    assert not ask("ons_energy_balance_hourly", group_by=[], filters={"subsystem": "SIN"}).merges


def test_a_total_is_never_merged_with_its_parts() -> None:
    error = refused("ons_energy_balance_hourly", group_by=[], filters={"subsystem": ["SIN", "N"]})
    assert error.error_code == "double_counting"


def test_a_total_that_nobody_publishes_is_computed_from_its_parts() -> None:
    query = ask(filters={"subsystem": "Brasil"})
    assert query.filters == (TagFilter("subsystem", ("N", "NE", "S", "SE")),)
    assert (query.group_by, query.merges) == ((), True)
    assert any("not published" in notice for notice in query.notices)
    assert refused(filters={"subsystem": ["SIN", "N"]}).error_code == "double_counting"


def test_units_are_converted_and_energy_needs_power() -> None:
    (term,) = ask(units={"load_mw": "GW"}).measures
    assert (term.output_unit, term.factor) == ("GW", 0.001)
    (energy,) = ask(aggregate="energy", units={"load_mw": "GWh"}).measures
    assert (energy.output_unit, energy.factor) == ("GWh", 0.001)
    assert refused("ons_cmo_half_hourly", aggregate="energy").details["pointer"] == "/aggregate"


def test_a_register_is_no_series() -> None:
    assert refused("ons_installed_capacity").error_code == "not_a_series"
