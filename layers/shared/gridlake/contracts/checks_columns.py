"""Rules for the columns of a contract: roles, units, coded values, derivations."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gridlake.contracts import units
from gridlake.contracts.checks_time import format_fault
from gridlake.contracts.findings import Found, Path, extension_path, role_of, unknown_keys
from gridlake.contracts.model import Role, Severity
from gridlake.contracts.odcs import extension
from gridlake.contracts.text import value_key

_COLUMN_KEYS = {
    "role",
    "aliases",
    "pattern",
    "optional",
    "unit",
    "source_unit",
    "missing",
    "formats",
    "closed",
    "combine",
    "label",
    "derive",
}
_MEMBER_KEYS = {"labels", "spellings", "synonyms", "aggregates", "published"}
_DERIVED_FROM = {"pair": 2, "signed_by_pair": 3, "ordinal": None, "header": 1}


def check_column(node: Mapping[str, Any], columns: Mapping[str, Any], *, draft: bool) -> Iterator[Found]:
    """Everything wrong with one column, as (path below it, message)."""
    own, place = extension(node), extension_path(node)
    yield from unknown_keys(own, _COLUMN_KEYS, place)
    kind, role = node.get("logicalType", "string"), role_of(node)
    if kind not in ("string", "number", "integer", "date", "timestamp"):
        yield (("logicalType",), f"{kind!r} is not supported; use string, number, date or timestamp")
    if role not in [known.value for known in Role]:
        yield ((*place, "role"), "must be tag, field, attribute or ignored")
    if role == "field" and kind not in ("number", "integer"):
        yield (("logicalType",), f"a field is a number, {node['name']!r} is {kind}")
    if role == "tag" and kind != "string":
        yield (("logicalType",), f"a tag is text, {node['name']!r} is {kind}")
    if not (node.get("physicalName") or own.get("pattern") or own.get("derive")):
        yield ((), f"{node['name']!r} needs a physicalName, a pattern or a derivation")
    yield from _units(node, own, place, role, draft=draft)
    yield from _pattern(own, place)
    for fault in own.get("formats") or ():
        message = format_fault(fault)
        if message or kind not in ("date", "timestamp"):
            yield ((*place, "formats"), message or f"formats are for dates, this column is {kind}")
    if own.get("combine") not in (None, "sum", "mean"):
        yield ((*place, "combine"), "must be sum or mean")
    if own.get("closed") and not node.get("enum"):
        yield ((*place, "closed"), "a closed column lists its values under enum")
    yield from _members(node)
    if own.get("derive"):
        yield from _derivation(node, own["derive"], (*place, "derive"), columns)


def _units(
    node: Mapping[str, Any], own: Mapping[str, Any], place: Path, role: str, *, draft: bool
) -> Iterator[Found]:
    named = [key for key in ("unit", "source_unit") if own.get(key) is not None]
    for key in named:
        symbol = str(own[key])
        if symbol not in units.UNITS:
            known = units.canonical(symbol)
            close = known or next(iter(difflib.get_close_matches(symbol, units.UNITS, n=1)), None)
            hint = f"; did you mean {close!r}?" if close else f"; known: {', '.join(units.UNITS)}"
            yield ((*place, key), f"unknown unit {symbol!r}{hint}")
            return
    if len(named) == 2:
        unit, source = units.UNITS[own["unit"]], units.UNITS[own["source_unit"]]
        if unit.dimension != source.dimension:
            message = (
                f"{own['source_unit']} ({source.dimension}) can't become {own['unit']} ({unit.dimension})"
            )
            yield ((*place, "source_unit"), message)
    elif named == ["source_unit"]:
        yield ((*place, "source_unit"), "a source_unit needs the unit it is converted to")
    if role == "field" and "unit" not in named and not draft:
        yield (place, f"{node['name']!r} has no unit; write unit: '1' for a plain number", Severity.WARNING)


def _pattern(own: Mapping[str, Any], place: Path) -> Iterator[Found]:
    if own.get("pattern") is not None:
        try:
            re.compile(str(own["pattern"]))
        except re.error as problem:
            yield ((*place, "pattern"), f"not a regular expression: {problem}")


def _members(node: Mapping[str, Any]) -> Iterator[Found]:
    members = node.get("enum") or ()
    codes = [str(member["value"]) for member in members]
    meanings: dict[str, str] = {}
    for number, member in enumerate(members):
        own = extension(member)
        place: Path = ("enum", number)
        inner = (*place, *extension_path(member))
        yield from unknown_keys(own, _MEMBER_KEYS, inner)
        if codes.index(codes[number]) != number:
            yield ((*place, "value"), f"{codes[number]!r} is listed twice")
        for text in (codes[number], *(own.get("spellings") or ())):
            owner = meanings.setdefault(value_key(str(text)), codes[number])
            if owner != codes[number]:
                yield (inner, f"the spelling {text!r} means {owner!r} too")
        for code in own.get("aggregates") or ():
            if str(code) not in codes or str(code) == codes[number]:
                yield (
                    (*inner, "aggregates"),
                    f"{codes[number]!r} can't be the total of {code!r}: no such value",
                )


def _derivation(
    node: Mapping[str, Any], derive: Mapping[str, Any], place: Path, columns: Mapping[str, Any]
) -> Iterator[Found]:
    yield from unknown_keys(derive, {"kind", "inputs", "order"}, place)
    kind, inputs = derive.get("kind"), list(derive.get("inputs") or ())
    if kind not in _DERIVED_FROM:
        yield ((*place, "kind"), f"must be one of {', '.join(_DERIVED_FROM)}")
        return
    wanted = _DERIVED_FROM[kind]
    if wanted is not None and len(inputs) != wanted:
        yield ((*place, "inputs"), f"{kind} takes {wanted} inputs, here are {len(inputs)}")
    if kind == "header":
        groups = [_groups(extension(column).get("pattern")) for column in columns.values()]
        if inputs and not any(inputs[0] in names for names in groups):
            yield ((*place, "inputs"), f"no pattern of a column has a group named {inputs[0]!r}")
    else:
        for name in inputs:
            if name not in columns:
                yield ((*place, "inputs"), f"no column is named {name!r}")
    if kind in ("pair", "signed_by_pair") and not derive.get("order"):
        yield (place, f"{kind} needs the order of the codes")
    if kind != "signed_by_pair" and role_of(node) != "tag":
        yield (place, f"{kind} makes a tag, {node['name']!r} is {role_of(node)}")


def _groups(pattern: Any) -> Collection[str]:
    try:
        return re.compile(str(pattern)).groupindex if pattern else ()
    except re.error:
        return ()
