"""Which column of a file is which column of a contract."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gridlake.contracts.model import Column, Contract, Role
from gridlake.contracts.text import header_key


def fold(name: str) -> str:
    """A column name as it is compared: `header_key`, and ``id_subsistema`` equals ``Id Subsistema``."""
    return " ".join(header_key(name).replace("_", " ").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Positions of a contract's columns in a header.

    Attributes
    ----------
    columns
        Position by silver name, for the columns that the file has.
    time, period
        Positions of the parts of the stamp and of the period counter.
    zone
        Zone of the printed stamps, which the time column's name may decide.
    captures
        Texts captured by the named groups of the columns' patterns.
    missing
        Published names of columns that a file must have and this one lacks.
    known
        Positions that the contract has a use or a name for.
    """

    columns: Mapping[str, int] = field(default_factory=dict)
    time: tuple[int, ...] = ()
    period: int | None = None
    zone: str = "UTC"
    captures: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    known: frozenset[int] = frozenset()


def bind(header: Sequence[str], contract: Contract) -> Binding:
    """Find a contract's columns in a header, by name, alias or pattern, each compared without case and accents."""
    positions = _positions(header)
    missing: list[str] = []
    columns: dict[str, int] = {}
    captures: dict[str, str] = {}
    for column in contract.columns:
        found = _find(column, positions, header, captures)
        if found is not None:
            columns[column.name] = found
        elif not column.optional and column.derive is None and column.role is not Role.IGNORED:
            missing.append(column.source or column.name)
    time: list[int] = []
    zone, period = "UTC", None
    if contract.time is not None:
        spec = contract.time
        zone = spec.zone
        for name in spec.columns:
            place, used = _first(positions, (name, *spec.aliases.get(name, ())))
            if place is None:
                missing.append(name)
                continue
            time.append(place)
            zone = {fold(k): v for k, v in spec.zones.items()}.get(fold(used), zone)
        if spec.period_column:
            names = (spec.period_column, *spec.aliases.get(spec.period_column, ()))
            period, _ = _first(positions, names)
            if period is None:
                missing.append(spec.period_column)
    known = frozenset({*columns.values(), *time, *([period] if period is not None else [])})
    return Binding(
        columns=columns,
        time=tuple(time),
        period=period,
        zone=zone,
        captures=captures,
        missing=tuple(missing),
        known=known,
    )


def _positions(header: Sequence[str]) -> dict[str, int]:
    """Place of each name; a name that another only resembles keeps its own, an unnamed column goes by its number."""
    positions: dict[str, int] = {}
    for key in (header_key, fold):
        for position, name in enumerate(header):
            positions.setdefault(key(name or unnamed(position)), position)
    return positions


def unnamed(position: int) -> str:
    """Name of a column that has none in the file."""
    return f"column {position + 1}"


def _first(positions: Mapping[str, int], names: Sequence[str]) -> tuple[int | None, str]:
    for name in names:
        position = positions.get(header_key(name), positions.get(fold(name)))
        if position is not None:
            return position, name
    return None, ""


def _find(
    column: Column, positions: Mapping[str, int], header: Sequence[str], captures: dict[str, str]
) -> int | None:
    names = ((column.source,) if column.source else ()) + column.aliases
    position, _ = _first(positions, names)
    if column.pattern:
        for candidate, name in enumerate(header):
            hit = re.search(column.pattern, " ".join(name.split()), re.IGNORECASE)
            if hit and position in (None, candidate):
                for group, text in hit.groupdict().items():
                    if text:
                        captures.setdefault(group, text.strip())
                return candidate
    return position
