"""A typed question from untrusted JSON: every name is looked up in the contract, every value checked.

Errors say where (`pointer`), what is allowed, and what was probably meant (`suggestions`).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from gridlake.contracts import units
from gridlake.contracts.model import Column, Contract, TimeSpec
from gridlake.contracts.text import header_key
from gridlake.platform.errors import ContractError, InvalidRequestError
from gridlake.questions.ir import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Aggregate,
    MeasureTerm,
    Order,
    SeriesQuery,
    Window,
)
from gridlake.questions.members import answer_from_parts, leave_totals_out, read_filters
from gridlake.questions.times import parse_instant, parse_window
from gridlake.questions.words import close_to, refuse_unknown

NAMES = (
    "dataset", "measures", "filters", "start", "end", "window", "aggregate", "percentile", "group_by", "order",
    "limit", "units",
)  # fmt: skip
MAX_MEASURES = 50
_INTEGRABLE = "MWh"


def build(request: Mapping[str, Any], contract: Contract) -> SeriesQuery:
    """The typed question that a JSON body asks of a dataset.

    Parameters
    ----------
    request
        Body of ``POST /timeseries/query``.
    contract
        Contract of the dataset it names.

    Raises
    ------
    InvalidRequestError
        A name is unknown, a value malformed or out of bounds, or the parts contradict each other.
    """
    for name in request:
        if name not in NAMES:
            refuse_unknown("name", str(name), NAMES, pointer=f"/{str(name)[:64]}")
    time = _series_time(contract)
    start, end = _range(request, time)
    window = None if request.get("window") is None else parse_window(request["window"])
    aggregate, percentile = _aggregate(request, window)
    measures = tuple(_term(column, aggregate, time) for column in _measures(request, contract))
    measures = _in_units(request, measures, contract, aggregate)
    filters, computed, said = answer_from_parts(read_filters(request.get("filters"), contract), contract)
    group_by = _group_by(request, contract, without=computed)
    pinned = {entry.tag for entry in filters if len(entry.values) == 1}
    merged = [tag for tag in contract.tags if tag.key and tag.name not in group_by and tag.name not in pinned]
    totals, notices = leave_totals_out(filters, merged)
    return SeriesQuery(
        dataset=contract.dataset,
        zone=time.zone,
        interval=time.interval,
        measures=measures,
        filters=(*filters, *totals),
        start=start,
        end=end,
        window=window,
        aggregate=aggregate,
        percentile=percentile,
        group_by=group_by,
        merges=bool(merged),
        order=_order(request),
        limit=_limit(request),
        notices=(*said, *notices),
    )


def _series_time(contract: Contract) -> TimeSpec:
    if contract.time is None or not contract.fields:
        raise InvalidRequestError(
            f"{contract.dataset} is a register without a time axis: it can't be queried as a series",
            code="not_a_series",
            pointer="/dataset",
            hint="its rows are in the lake, as a table of the Glue database",
        )
    return contract.time


def _range(request: Mapping[str, Any], time: TimeSpec) -> tuple[dt.datetime, dt.datetime]:
    for name in ("start", "end"):
        if request.get(name) is None:
            raise InvalidRequestError(
                f"{name} is missing",
                pointer=f"/{name}",
                hint="write e.g. 2023-08-01; the end is not included",
            )
    start = parse_instant(request["start"], time.zone, pointer="/start")
    end = parse_instant(request["end"], time.zone, pointer="/end")
    if start >= end:
        raise InvalidRequestError(
            "end must be after start",
            pointer="/end",
            hint="the end is not included: for one day write the next day",
        )
    return start, end


def _aggregate(request: Mapping[str, Any], window: Window | None) -> tuple[Aggregate | None, float | None]:
    asked = request.get("aggregate")
    rank = request.get("percentile")
    if asked is None and rank is not None:
        asked = Aggregate.PERCENTILE.value
    if asked is None:
        return (Aggregate.MEAN, None) if window else (None, None)
    names = [known.value for known in Aggregate]
    if not isinstance(asked, str) or asked.lower() not in names:
        refuse_unknown("aggregate", asked, names, pointer="/aggregate")
    aggregate = Aggregate(asked.lower())
    if aggregate is not Aggregate.PERCENTILE:
        if rank is not None:
            raise InvalidRequestError(
                f"percentile has no meaning for the aggregate {aggregate.value}", pointer="/percentile"
            )
        return aggregate, None
    if isinstance(rank, bool) or not isinstance(rank, int | float) or not 0 < rank <= 100:
        raise InvalidRequestError(
            "percentile must be a number above 0 and at most 100",
            pointer="/percentile",
            hint='e.g. "percentile": 95',
        )
    return aggregate, float(rank)


def _measures(request: Mapping[str, Any], contract: Contract) -> list[Column]:
    asked = request.get("measures")
    if asked is None or asked == []:
        return list(contract.fields)[:MAX_MEASURES]
    if isinstance(asked, str):
        asked = [asked]
    if not isinstance(asked, list) or len(asked) > MAX_MEASURES:
        raise InvalidRequestError(
            f"measures must be a list of at most {MAX_MEASURES} names", pointer="/measures"
        )
    found: dict[str, Column] = {}
    for position, name in enumerate(asked):
        column = _look_up(name, contract.fields)
        if column is None:
            refuse_unknown(
                "measure",
                name,
                [known.name for known in contract.fields],
                pointer=f"/measures/{position}",
                code="unknown_measure",
                where=contract.dataset,
                spoken={key: known.name for known in contract.fields for key in _names(known)},
            )
        found[column.name] = column
    return list(found.values())


def _names(column: Column) -> Iterable[str]:
    published = (column.source,) if column.source else ()
    return (column.name, *published, *column.aliases)


def _look_up(name: object, columns: Iterable[Column]) -> Column | None:
    """A column by its own name or the publisher's, without case; its own name goes first."""
    if not isinstance(name, str):
        return None
    columns = tuple(columns)
    tests: tuple[Callable[[Column], bool], ...] = (
        lambda column: column.name == name,
        lambda column: header_key(column.name) == header_key(name),
        lambda column: header_key(name) in {header_key(known) for known in _names(column)},
    )
    return next((column for test in tests for column in columns if test(column)), None)


def _term(column: Column, aggregate: Aggregate | None, time: TimeSpec) -> MeasureTerm:
    term = MeasureTerm(
        name=column.name, unit=column.unit, output_unit=column.unit, combine=column.combine or "mean"
    )
    if aggregate is Aggregate.COUNT:
        return replace(term, output_unit=None)
    if aggregate is not Aggregate.ENERGY:
        return term
    power = column.unit is not None and "MW" in units.compatible(column.unit)
    if not power or time.interval is None or time.interval_varies:
        raise InvalidRequestError(
            f"energy needs power at a regular interval; {column.name} is "
            f"{'irregular' if power else f'in {column.unit or "no unit"}'}",
            pointer="/aggregate",
            hint="use mean or sum",
        )
    return replace(term, output_unit=_INTEGRABLE, factor=units.factor(cast("str", column.unit), "MW"))


def _in_units(
    request: Mapping[str, Any],
    terms: tuple[MeasureTerm, ...],
    contract: Contract,
    aggregate: Aggregate | None,
) -> tuple[MeasureTerm, ...]:
    asked = request.get("units")
    if asked is None:
        return terms
    if not isinstance(asked, Mapping):
        raise InvalidRequestError("units must be an object of unit by measure", pointer="/units")
    wanted: dict[str, str] = {}
    for name, unit in asked.items():
        pointer = f"/units/{str(name)[:64]}"
        column = _look_up(name, contract.fields)
        if column is None or column.name not in {term.name for term in terms}:
            refuse_unknown(
                "measure", name, [term.name for term in terms], pointer=pointer, code="unknown_measure"
            )
        if not isinstance(unit, str) or len(unit) > 32:
            raise InvalidRequestError("a unit must be a short text", pointer=pointer)
        if aggregate is Aggregate.COUNT:
            raise InvalidRequestError("a count has no unit", pointer=pointer)
        wanted[column.name] = unit
    return tuple(_converted(term, wanted[term.name]) if term.name in wanted else term for term in terms)


def _converted(term: MeasureTerm, unit: str) -> MeasureTerm:
    pointer = f"/units/{term.name}"
    if term.output_unit is None:
        raise InvalidRequestError(f"{term.name} has no unit to convert from", pointer=pointer)
    try:
        ratio = units.factor(term.output_unit, unit)
    except ContractError as error:
        allowed = list(units.compatible(term.output_unit))
        raise InvalidRequestError(
            f"{term.name} is in {term.output_unit}, which can't be given in {unit!r}",
            code=error.error_code,
            pointer=pointer,
            allowed=allowed,
            suggestions=close_to(unit, allowed),
            hint=f"units: {', '.join(allowed)}",
        ) from error
    return replace(term, output_unit=units.canonical(unit), factor=term.factor * ratio)


def _group_by(request: Mapping[str, Any], contract: Contract, *, without: frozenset[str]) -> tuple[str, ...]:
    """Tags kept apart: those asked for, else the key tags but `without` those that a total was asked of."""
    asked = request.get("group_by")
    if asked is None:
        return tuple(tag.name for tag in contract.tags if tag.key and tag.name not in without)
    if isinstance(asked, str):
        asked = [asked]
    if not isinstance(asked, list) or len(asked) > 20:
        raise InvalidRequestError("group_by must be a list of tags", pointer="/group_by")
    found: dict[str, None] = {}
    for position, name in enumerate(asked):
        column = _look_up(name, contract.tags)
        if column is None:
            refuse_unknown(
                "tag",
                name,
                [tag.name for tag in contract.tags],
                pointer=f"/group_by/{position}",
                code="unknown_tag",
                where=contract.dataset,
            )
        found[column.name] = None
    return tuple(found)


def _order(request: Mapping[str, Any]) -> Order:
    order = request.get("order")
    if order not in (None, "asc", "desc"):
        raise InvalidRequestError("order must be asc or desc", pointer="/order", allowed=["asc", "desc"])
    return "desc" if order == "desc" else "asc"


def _limit(request: Mapping[str, Any]) -> int:
    limit = request.get("limit")
    if limit is None:
        return DEFAULT_LIMIT
    if isinstance(limit, float) and math.isfinite(limit) and limit.is_integer():
        limit = int(limit)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequestError(
            f"limit must be a whole number from 1 to {MAX_LIMIT:,}",
            pointer="/limit",
            hint="for more rows ask for shorter ranges one after the other",
        )
    return limit
