"""Units of measure and the ratios between those of one dimension."""

from __future__ import annotations

from dataclasses import dataclass

from gridlake.platform.errors import ContractError


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its dimension and its size in the base unit of that dimension."""

    dimension: str
    size: float


UNITS: dict[str, Unit] = {
    "W": Unit("power", 1e-6),
    "kW": Unit("power", 1e-3),
    "MW": Unit("power", 1.0),
    "GW": Unit("power", 1e3),
    "TW": Unit("power", 1e6),
    "MWmed": Unit("power", 1.0),
    "GWmed": Unit("power", 1e3),
    "Wh": Unit("energy", 1e-6),
    "kWh": Unit("energy", 1e-3),
    "MWh": Unit("energy", 1.0),
    "GWh": Unit("energy", 1e3),
    "TWh": Unit("energy", 1e6),
    "MWmonth": Unit("monthly energy", 1.0),
    "GWmonth": Unit("monthly energy", 1e3),
    "BRL/MWh": Unit("price in BRL", 1.0),
    "BRL/kWh": Unit("price in BRL", 1e3),
    "EUR/MWh": Unit("price in EUR", 1.0),
    "EUR/kWh": Unit("price in EUR", 1e3),
    "USD/MWh": Unit("price in USD", 1.0),
    "USD/kWh": Unit("price in USD", 1e3),
    "GBP/MWh": Unit("price in GBP", 1.0),
    "GBP/kWh": Unit("price in GBP", 1e3),
    "BRL": Unit("money in BRL", 1.0),
    "EUR": Unit("money in EUR", 1.0),
    "USD": Unit("money in USD", 1.0),
    "GBP": Unit("money in GBP", 1.0),
    "1": Unit("ratio", 1.0),
    "%": Unit("ratio", 0.01),
    "mm": Unit("length", 1e-3),
    "cm": Unit("length", 1e-2),
    "m": Unit("length", 1.0),
    "km": Unit("length", 1e3),
    "m2": Unit("area", 1.0),
    "km2": Unit("area", 1e6),
    "m3": Unit("volume", 1.0),
    "hm3": Unit("volume", 1e6),
    "km3": Unit("volume", 1e9),
    "l/s": Unit("flow", 1e-3),
    "m3/s": Unit("flow", 1.0),
    "m/s": Unit("speed", 1.0),
    "km/h": Unit("speed", 1 / 3.6),
    "s": Unit("duration", 1.0),
    "min": Unit("duration", 60.0),
    "h": Unit("duration", 3600.0),
    "d": Unit("duration", 86400.0),
    "Hz": Unit("frequency", 1.0),
    "V": Unit("voltage", 1e-3),
    "kV": Unit("voltage", 1.0),
    "A": Unit("current", 1.0),
    "kA": Unit("current", 1e3),
    "Mvar": Unit("reactive power", 1.0),
    "MVA": Unit("apparent power", 1.0),
    "W/m2": Unit("irradiance", 1.0),
    "kWh/m2": Unit("irradiation", 1.0),
    "degC": Unit("temperature", 1.0),
    "deg": Unit("angle", 1.0),
    "hPa": Unit("pressure", 1.0),
    "kg": Unit("mass", 1.0),
    "t": Unit("mass", 1e3),
    "tCO2": Unit("emission", 1.0),
    "kgCO2/MWh": Unit("emission intensity", 1.0),
    "gCO2/kWh": Unit("emission intensity", 1.0),
    "tCO2/MWh": Unit("emission intensity", 1e3),
    "BTU": Unit("heat", 1.0),
    "MMBtu": Unit("heat", 1e6),
    "count": Unit("count", 1.0),
}
"""Units a contract may name, by symbol. MWmed is the Brazilian *megawatt médio*: average power, thus MW."""

_SPELLINGS = {
    "mw médio": "MWmed",
    "mw medio": "MWmed",
    "mwmes": "MWmonth",
    "mwmês": "MWmonth",
    "r$/mwh": "BRL/MWh",
    "r$/kwh": "BRL/kWh",
    "€/mwh": "EUR/MWh",
    "£/mwh": "GBP/MWh",
    "$/mwh": "USD/MWh",
    "m³/s": "m3/s",
    "m³": "m3",
    "hm³": "hm3",
    "m²": "m2",
    "°c": "degC",
    "percent": "%",
}


def canonical(symbol: str) -> str | None:
    """The symbol of `UNITS` a published spelling means; None when nobody knows it.

    The exact spelling is tried first, then without case where that is unambiguous.
    """
    text = symbol.strip()
    if text in UNITS:
        return text
    if text.casefold() in _SPELLINGS:
        return _SPELLINGS[text.casefold()]
    matches = [known for known in UNITS if known.casefold() == text.casefold()]
    return matches[0] if len(matches) == 1 else None


def factor(from_unit: str, to_unit: str) -> float:
    """Number by which a value in `from_unit` is multiplied to be in `to_unit`.

    Raises
    ------
    ContractError
        A unit is unknown, or the two measure different things.
    """
    source, target = _unit(from_unit), _unit(to_unit)
    if source.dimension != target.dimension:
        raise ContractError(
            f"{from_unit} ({source.dimension}) can't be converted to {to_unit} ({target.dimension})",
            code="incompatible_units",
            hint=f"units of {source.dimension}: {', '.join(compatible(from_unit))}",
        )
    ratio = source.size / target.size
    return float(f"{ratio:.15g}")


def compatible(unit: str) -> tuple[str, ...]:
    """Units a value in `unit` can be converted to, itself included.

    Raises
    ------
    ContractError
        The unit is unknown.
    """
    dimension = _unit(unit).dimension
    return tuple(symbol for symbol, known in UNITS.items() if known.dimension == dimension)


def _unit(symbol: str) -> Unit:
    known = canonical(symbol)
    if known is None:
        raise ContractError(
            f"unknown unit {symbol!r}", code="unknown_unit", hint=f"units: {', '.join(UNITS)}"
        )
    return UNITS[known]
