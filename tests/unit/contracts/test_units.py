"""Ratios of units, and the spellings publishers use."""

from __future__ import annotations

import pytest

from gridlake.contracts.units import UNITS, canonical, compatible, factor
from gridlake.platform.errors import ContractError


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("MW", "GW", 0.001),
        ("kW", "MW", 0.001),
        ("MWmed", "MW", 1.0),
        ("GWh", "MWh", 1000.0),
        ("BRL/kWh", "BRL/MWh", 1000.0),
        ("%", "1", 0.01),
        ("1", "%", 100.0),
        ("hm3", "m3", 1e6),
        ("min", "h", 1 / 60),
        ("l/s", "m3/s", 0.001),
    ],
)
def test_ratio_of_two_units(source: str, target: str, expected: float) -> None:
    assert factor(source, target) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_itself(unit: str) -> None:
    assert factor(unit, unit) == 1.0
    assert canonical(unit) == unit
    assert unit in compatible(unit)


@pytest.mark.parametrize(
    ("source", "target"), [("MW", "MWh"), ("BRL/MWh", "EUR/MWh"), ("MWmonth", "MWh"), ("m", "m3")]
)
def test_units_of_different_things_do_not_convert(source: str, target: str) -> None:
    with pytest.raises(ContractError, match="can't be converted") as raised:
        factor(source, target)
    assert raised.value.error_code == "incompatible_units"


def test_an_unknown_unit_is_said_to_be_unknown() -> None:
    with pytest.raises(ContractError, match="unknown unit 'furlong'") as raised:
        factor("furlong", "m")
    assert raised.value.error_code == "unknown_unit"


@pytest.mark.parametrize(
    ("published", "unit"),
    [
        ("R$/MWh", "BRL/MWh"),
        ("MWmês", "MWmonth"),
        ("m³/s", "m3/s"),
        ("mw", "MW"),
        (" MW ", "MW"),
        ("percent", "%"),
    ],
)
def test_published_spellings_are_understood(published: str, unit: str) -> None:
    assert canonical(published) == unit


def test_an_ambiguous_spelling_is_not_guessed() -> None:
    assert canonical("stones") is None
    assert canonical("") is None
