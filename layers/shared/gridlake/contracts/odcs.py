"""ODCS v3 document to `Contract`.

What the Open Data Contract Standard has a place for is read from that place: identity, columns (`physicalName`,
`logicalType`, `required`, `primaryKey`, `enum`, `synonyms`) and quality checks. The rest (roles, units, time stamps,
aliases) lives in one custom property called ``gridlake`` at each level, so that other ODCS tools still read the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from gridlake.contracts.model import (
    Column,
    ColumnType,
    Contract,
    Derivation,
    Kind,
    Member,
    Role,
    Rule,
    Severity,
    TimeSpec,
    Words,
)
from gridlake.platform.errors import ContractError

EXTENSION = "gridlake"
"""Name of the custom property that holds what ODCS has no place for."""

TIME = "time"
"""Name of the property that says when a row is."""

_TYPES = {
    "string": ColumnType.STRING,
    "number": ColumnType.NUMBER,
    "integer": ColumnType.NUMBER,
    "date": ColumnType.DATE,
    "timestamp": ColumnType.TIMESTAMP,
}
_OPERATORS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "mustBe": lambda v: {"min": v, "max": v},
    "mustBeGreaterThan": lambda v: {"min": v + 1},
    "mustBeGreaterOrEqualTo": lambda v: {"min": v},
    "mustBeLessThan": lambda v: {"max": v - 1},
    "mustBeLessOrEqualTo": lambda v: {"max": v},
    "mustBeBetween": lambda v: {"min": v[0], "max": v[1]},
}


def parse(document: Mapping[str, Any]) -> Contract:
    """The contract a document describes.

    Parameters
    ----------
    document
        A parsed ODCS v3 YAML or JSON document with one schema object.

    Raises
    ------
    ContractError
        The document is not one; `gridlake.contracts.validation.validate` finds every problem with its line.
    """
    try:
        return _contract(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        name = document.get("id", "?") if isinstance(document, Mapping) else "?"
        what = f"{problem.args[0]!r} is missing" if isinstance(problem, KeyError) else str(problem)
        raise ContractError(
            f"contract {name}: {what}",
            hint="run `gridlake contracts validate FILE`: it lists every problem with its line",
        ) from problem


def extension(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ``gridlake`` custom property of an ODCS element; empty when it has none."""
    for item in node.get("customProperties") or ():
        if item.get("property") == EXTENSION:
            return cast("Mapping[str, Any]", item.get("value") or {})
    return {}


def _contract(document: Mapping[str, Any]) -> Contract:
    table = document["schema"][0]
    own = extension(table)
    title = _texts(
        own.get("title"), english=document.get("name") or table.get("businessName") or document["id"]
    )
    described = document.get("description") or {}
    time: TimeSpec | None = None
    columns: list[Column] = []
    rules: list[Rule] = []
    for node in table.get("properties") or ():
        if node["name"] == TIME:
            time = _time(node)
        else:
            columns.append(_column(node))
            rules.extend(_column_rules(node))
    for number, node in enumerate(table.get("quality") or (), start=1):
        rule = _rule(node, fallback_id=f"rule_{number}", column=None)
        if rule:
            rules.append(rule)
    return Contract(
        dataset=str(document["id"]),
        version=str(document["version"]),
        publisher=str(document.get("tenant") or "unknown"),
        kind=Kind(own.get("kind", Kind.SERIES if time else Kind.REFERENCE)),
        title=title,
        columns=tuple(columns),
        time=time,
        file_patterns=_strings(own.get("file_patterns")),
        rules=tuple(rules),
        decimal=own.get("decimal"),
        max_series=int(own.get("max_series", 10_000)),
        fail_file_above=own.get("fail_file_above"),
        merge_surplus_into=own.get("merge_surplus_into"),
        description=_prose(described.get("purpose")),
        limitations=_prose(described.get("limitations")),
        synonyms=_words(table),
        licence=str(extension(document).get("licence", "")),
        source_url=_source_url(document),
        status=document.get("status", "active"),
    )


def _column(node: Mapping[str, Any]) -> Column:
    own = extension(node)
    kind = _TYPES[node.get("logicalType", "string")]
    default_role = Role.FIELD if kind is ColumnType.NUMBER else Role.ATTRIBUTE
    derive = own.get("derive")
    return Column(
        name=str(node["name"]),
        role=Role(own.get("role", default_role)),
        type=kind,
        source=node.get("physicalName"),
        aliases=_strings(own.get("aliases")),
        pattern=own.get("pattern"),
        optional=bool(own.get("optional", False)),
        required=bool(node.get("required", False)),
        key=bool(node.get("primaryKey", False)),
        unit=own.get("unit"),
        source_unit=own.get("source_unit"),
        missing=_strings(own.get("missing")),
        formats=_strings(own.get("formats")),
        members=tuple(_member(value) for value in node.get("enum") or ()),
        closed=bool(own.get("closed", False)),
        combine=own.get("combine"),
        label=_texts(own.get("label"), english=node.get("businessName")),
        description=_prose(node.get("description")),
        synonyms=_words(node),
        derive=Derivation(
            kind=derive["kind"], inputs=_strings(derive.get("inputs")), order=_strings(derive.get("order"))
        )
        if derive
        else None,
    )


def _member(node: Mapping[str, Any]) -> Member:
    own = extension(node)
    return Member(
        code=str(node["value"]),
        labels=_texts(own.get("labels"), english=node.get("label")),
        spellings=_strings(own.get("spellings")),
        synonyms={language: _strings(words) for language, words in (own.get("synonyms") or {}).items()},
        aggregates=_strings(own.get("aggregates")),
        published=bool(own.get("published", True)),
    )


def _time(node: Mapping[str, Any]) -> TimeSpec:
    own = extension(node)
    defaults = TimeSpec(columns=())
    columns = own.get("columns") or ([node["physicalName"]] if "physicalName" in node else [])
    return TimeSpec(
        columns=_strings(columns),
        aliases={name: _strings(names) for name, names in (own.get("aliases") or {}).items()},
        template=own.get("template", defaults.template),
        formats=_strings(own.get("formats")) or defaults.formats,
        split=own.get("split"),
        period_column=own.get("period_column"),
        zone=own.get("zone", defaults.zone),
        stamp=own.get("stamp", defaults.stamp),
        interval=own.get("interval"),
        interval_varies=bool(own.get("interval_varies", False)),
        shift=own.get("shift"),
        end_of_day=own.get("end_of_day"),
        ambiguous=own.get("ambiguous", defaults.ambiguous),
        nonexistent=own.get("nonexistent", defaults.nonexistent),
        zones=dict(own.get("zones") or {}),
    )


def _column_rules(node: Mapping[str, Any]) -> Iterable[Rule]:
    options = node.get("logicalTypeOptions") or {}
    bounds = {
        short: options[name] for short, name in (("min", "minimum"), ("max", "maximum")) if name in options
    }
    if bounds and _TYPES[node.get("logicalType", "string")] is ColumnType.NUMBER:
        yield Rule(id=f"{node['name']}_bounds", kind="range", columns=(node["name"],), params=bounds)
    for number, check in enumerate(node.get("quality") or (), start=1):
        rule = _rule(check, fallback_id=f"{node['name']}_{number}", column=node["name"])
        if rule:
            yield rule


def _rule(node: Mapping[str, Any], *, fallback_id: str, column: str | None) -> Rule | None:
    """The rule of a quality check; None for a check that is prose or SQL, which this platform doesn't run."""
    kind, params, columns = _check(node)
    if kind is None:
        return None
    threshold = params.pop("fail_file_above", None)
    return Rule(
        id=str(node.get("id") or node.get("name") or fallback_id),
        kind=cast("Any", kind),
        columns=columns or ((column,) if column else ()),
        severity=Severity(node.get("severity", Severity.ERROR)),
        params=params,
        fail_file_above=threshold,
        description=_prose(node.get("description")),
    )


def _check(node: Mapping[str, Any]) -> tuple[str | None, dict[str, Any], tuple[str, ...]]:
    if node.get("type") == "custom":
        if node.get("engine") != EXTENSION:
            return None, {}, ()
        params = dict(node["implementation"])
        kind = params.pop("kind")
        return kind, params, _strings(params.pop("columns", ()))
    arguments = node.get("arguments") or {}
    match node.get("metric"):
        case "nullValues" | "missingValues":
            return "not_null", {}, ()
        case "invalidValues":
            return "accepted", {"values": list(arguments["validValues"])}, ()
        case "duplicateValues":
            return "unique", {}, ()
        case "rowCount":
            found = [make(node[name]) for name, make in _OPERATORS.items() if name in node]
            if not found:
                raise ValueError("rowCount says neither mustBe nor a bound")
            return "row_count", found[0], ()
    return None, {}, ()


def _words(node: Mapping[str, Any]) -> Words:
    words: dict[str, list[str]] = {}
    for item in node.get("synonyms") or ():
        language = str(item.get("locale", "en")).split("-")[0].lower()
        words.setdefault(language, []).append(str(item["synonym"]))
    return {language: tuple(dict.fromkeys(texts)) for language, texts in words.items()}


def _texts(value: Mapping[str, Any] | None, *, english: Any = None) -> dict[str, str]:
    texts = {"en": str(english)} if english else {}
    return texts | {language: str(text) for language, text in (value or {}).items()}


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value)


def _prose(value: Any) -> str:
    """Text of a folded or literal YAML block as one paragraph per blank line."""
    if not value:
        return ""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", str(value).strip()))


def _source_url(document: Mapping[str, Any]) -> str:
    for item in document.get("authoritativeDefinitions") or ():
        if item.get("type") == "canonicalUrl":
            return str(item["url"])
    return ""
