"""Rules for the quality rules of a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gridlake.contracts.findings import Found, Path, is_number, is_numeric, listed, unknown_keys
from gridlake.contracts.model import Severity
from gridlake.contracts.odcs import EXTENSION, TIME, extension

_PARAMS = {
    "not_null": set(),
    "range": {"min", "max"},
    "accepted": {"values"},
    "unique": {"keep"},
    "identity": {"terms", "tolerance"},
    "completeness": set(),
    "row_count": {"min", "max"},
}
_NEEDS_COLUMNS = {"not_null", "range", "accepted"}


def check_rules(table: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[Found]:
    """Everything wrong with the quality checks of a table, as (path below it, message)."""
    seen: set[str] = set()
    checks: list[tuple[Path, Mapping[str, Any], str | None]] = [
        (("quality", number), node, None) for number, node in enumerate(table.get("quality") or ())
    ]
    for number, column in enumerate(table.get("properties") or ()):
        for inner, node in enumerate(column.get("quality") or ()):
            checks.append((("properties", number, "quality", inner), node, column["name"]))
    for path, node, column in checks:
        name = node.get("id") or node.get("name")
        if name in seen:
            yield (*path, "id"), f"two rules are named {name!r}"
        if name:
            seen.add(name)
        if node.get("severity", "error") not in ("error", "warning"):
            yield (*path, "severity"), "must be error (the row goes to quarantine) or warning (it is counted)"
        if node.get("type") == "custom" and node.get("engine") == EXTENSION:
            yield from _custom(node, (*path, "implementation"), columns, column)
        elif node.get("type") in ("sql", "custom"):
            yield path, "this platform doesn't run this check", Severity.WARNING
        elif node.get("type") != "text":
            yield from _library(node, path, column)


def _custom(
    node: Mapping[str, Any],
    path: Path,
    columns: Mapping[str, Any],
    column: str | None,
) -> Iterator[Found]:
    rule = node["implementation"]
    if not isinstance(rule, Mapping) or rule.get("kind") not in _PARAMS:
        yield path, f"must be a mapping whose kind is one of {', '.join(_PARAMS)}"
        return
    kind = rule["kind"]
    yield from unknown_keys(rule, {"kind", "columns", "fail_file_above", *_PARAMS[kind]}, path)
    names = listed(rule.get("columns")) or listed(column)
    if kind in _NEEDS_COLUMNS and not names:
        yield path, f"{kind} needs columns"
    for name in names:
        yield from _known(name, columns, (*path, "columns"))
    share = rule.get("fail_file_above")
    if share is not None and not (is_number(share) and 0 <= share <= 1):
        yield (*path, "fail_file_above"), "is a share: a number from 0 to 1"
    if kind in ("range", "row_count"):
        yield from _bounds(rule, path)
    if kind == "range":
        yield from _numeric(names, columns, (*path, "columns"))
    if kind == "accepted" and not isinstance(rule.get("values"), list):
        yield path, "accepted needs a list of values"
    if kind == "unique" and rule.get("keep", "last") not in ("last", "none"):
        yield (*path, "keep"), "must be last or none"
    if kind == "completeness" and not extension(columns.get(TIME, {})).get("interval"):
        yield path, "completeness needs the interval of the time"
    if kind == "identity":
        yield from _identity(rule, path, columns)


def _identity(rule: Mapping[str, Any], path: Path, columns: Mapping[str, Any]) -> Iterator[Found]:
    terms = rule.get("terms")
    if not isinstance(terms, Mapping) or len(terms) < 2:
        yield path, "identity needs terms: a coefficient for each of two or more columns"
        return
    for name, coefficient in terms.items():
        yield from _known(name, columns, (*path, "terms", name))
        if not is_number(coefficient) or coefficient == 0:
            yield (*path, "terms", name), f"the coefficient of {name!r} must be a number other than 0"
    yield from _numeric(list(terms), columns, (*path, "terms"))
    if not is_number(rule.get("tolerance")) or rule["tolerance"] < 0:
        yield path, "identity needs a tolerance of 0 or more"


def _bounds(rule: Mapping[str, Any], path: Path) -> Iterator[Found]:
    low, high = rule.get("min"), rule.get("max")
    if low is None and high is None:
        yield path, f"{rule['kind']} needs min, max or both"
    for key, bound in (("min", low), ("max", high)):
        if bound is not None and not is_number(bound):
            yield (*path, key), "must be a number"
            return
    if low is not None and high is not None and low > high:
        yield path, f"min {low} is above max {high}: no value can pass"


def _library(node: Mapping[str, Any], path: Path, column: str | None) -> Iterator[Found]:
    metric = node.get("metric")
    exact = node.get("mustBe") == 0
    if metric in ("nullValues", "missingValues", "invalidValues", "duplicateValues") and not exact:
        yield path, f"{metric} is read with mustBe: 0 only", Severity.WARNING
    if metric in ("nullValues", "missingValues", "invalidValues") and column is None:
        yield path, f"{metric} belongs to a column"
    if metric == "invalidValues" and not isinstance((node.get("arguments") or {}).get("validValues"), list):
        yield path, "invalidValues needs arguments.validValues"
    if metric == "duplicateValues" and column is not None:
        yield path, "duplicateValues of one column is not run: rows are unique by key, at the table"
    if metric == "rowCount" and any(key.startswith("mustNot") for key in node):
        yield path, "rowCount is read with mustBe, mustBeGreater…, mustBeLess… or mustBeBetween"
    if metric is None:
        yield path, "this check says neither metric nor implementation"


def _known(name: Any, columns: Mapping[str, Any], path: Path) -> Iterator[Found]:
    node = columns.get(name)
    if node is None:
        yield path, f"the rule names {name!r}, which is no column; known: {', '.join(columns)}"
    elif extension(node).get("role") == "ignored":
        yield path, f"{name!r} is ignored, so no rule can look at it"


def _numeric(names: list[Any], columns: Mapping[str, Any], path: Path) -> Iterator[Found]:
    for name in names:
        node = columns.get(name)
        if node is not None and not is_numeric(node):
            yield path, f"{name!r} is no number"
