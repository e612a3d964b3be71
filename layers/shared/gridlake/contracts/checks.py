"""The rules of this platform for a contract that ODCS already accepts.

Each check yields findings with the path of what is wrong in the document; `gridlake.contracts.validation` turns paths
into lines. Nothing here stops at the first finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gridlake.contracts.checks_columns import check_column
from gridlake.contracts.checks_rules import check_rules
from gridlake.contracts.checks_time import check_time
from gridlake.contracts.findings import (
    Finding,
    Path,
    below,
    extension_path,
    published_names,
    role_of,
    unknown_keys,
)
from gridlake.contracts.model import Contract, Kind, Role, Severity
from gridlake.contracts.odcs import TIME, extension
from gridlake.contracts.text import header_key

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = {"year", "month", "source_row"}
_CONTRACT_KEYS = {"licence"}
_TABLE_KEYS = {
    "kind",
    "title",
    "file_patterns",
    "decimal",
    "max_series",
    "fail_file_above",
    "merge_surplus_into",
}


def check(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything wrong with one contract, apart from the rest of the registry."""
    yield from _identity(document)
    tables = document.get("schema") or []
    if len(tables) != 1:
        yield Finding(("schema",), f"a contract describes one table, this one has {len(tables)}")
        return
    table, path = tables[0], ("schema", 0)
    if table["name"] != document["id"]:
        yield Finding((*path, "name"), f"must be the id of the contract, {document['id']!r}")
    yield from _table(table, path)
    columns = {node["name"]: node for node in table.get("properties") or ()}
    yield from _names(table, path)
    for number, node in enumerate(table.get("properties") or ()):
        place = (*path, "properties", number)
        if node["name"] == TIME:
            yield from below(check_time(node), place)
        else:
            yield from below(check_column(node, columns, draft=document.get("status") == "draft"), place)
    yield from _keys(table, path)
    yield from below(check_rules(table, columns), path)


def recognition_clashes(contract: Contract, others: Iterable[Contract]) -> Iterator[str]:
    """Datasets of which no file could be told from a file of this one: equal columns, names and interval.

    A deprecated contract claims no file any more, so that its successor may look like it.
    """
    if contract.status == "deprecated":
        return
    for other in others:
        if other.status == "deprecated":
            continue
        if other.dataset == contract.dataset or not (_fits(contract, other) and _fits(other, contract)):
            continue
        if _interval(contract) != _interval(other):
            continue
        mine, theirs = ({name.casefold() for name in c.file_patterns} for c in (contract, other))
        if mine & theirs or not (mine and theirs):
            yield (
                f"a file of this dataset can't be told from one of {other.dataset}: the columns are the same and "
                "the file_patterns don't differ; give each dataset its own file_patterns"
            )


def _identity(document: Mapping[str, Any]) -> Iterator[Finding]:
    if not _NAME.fullmatch(str(document["id"])):
        yield Finding(("id",), f"{document['id']!r} is no dataset name: use lower case letters, digits and _")
    if not str(document.get("apiVersion", "")).startswith("v3"):
        yield Finding(("apiVersion",), "only version 3 of ODCS is read; write v3.2.0")
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(document["version"])):
        yield Finding(("version",), f"{document['version']!r} is not MAJOR.MINOR.PATCH")
    if document.get("status", "active") not in ("active", "draft", "deprecated"):
        yield Finding(("status",), "must be active, draft or deprecated")
    own = extension(document)
    yield from below(unknown_keys(own, _CONTRACT_KEYS, ()), extension_path(document))


def _table(table: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    own, place = extension(table), (*path, *extension_path(table))
    yield from below(unknown_keys(own, _TABLE_KEYS, ()), place)
    if own.get("kind", "series") not in [kind.value for kind in Kind]:
        yield Finding((*place, "kind"), "must be series or reference")
    if own.get("decimal") not in (None, ".", ","):
        yield Finding((*place, "decimal"), "must be '.' or ','")
    limit = own.get("max_series", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        yield Finding((*place, "max_series"), "must be a positive whole number")
    share = own.get("fail_file_above")
    if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
        yield Finding((*place, "fail_file_above"), "is a share: a number from 0 to 1")
    if not isinstance(own.get("file_patterns", []), list):
        yield Finding((*place, "file_patterns"), "must be a list of name patterns")
    surplus = own.get("merge_surplus_into")
    if surplus is not None:
        texts = [n for n in table.get("properties") or () if n.get("logicalType", "string") == "string"]
        if header_key(str(surplus)) not in {
            header_key(name) for node in texts for name in published_names(node)
        }:
            yield Finding(
                (*place, "merge_surplus_into"), f"{surplus!r} is no published name of a text column"
            )
    names = [node["name"] for node in table.get("properties") or ()]
    timed = TIME in names
    kind = own.get("kind", "series" if timed else "reference")
    if kind == "series" and not timed:
        yield Finding(path, "a series needs a property named time; without one it is kind: reference")
    if kind == "reference" and timed:
        yield Finding(
            (*path, "properties", names.index(TIME)), "a reference table has no property named time"
        )
    roles = [role_of(node) for node in table.get("properties") or () if node["name"] != TIME]
    if kind == "series" and "field" not in roles:
        yield Finding(path, "a series needs at least one column with role: field")


def _names(table: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    published: dict[str, str] = {}
    for number, node in enumerate(table.get("properties") or ()):
        place = (*path, "properties", number)
        name = node["name"]
        if name in seen:
            yield Finding((*place, "name"), f"two columns are named {name!r}")
        seen[name] = number
        if not _NAME.fullmatch(name) or name in _RESERVED:
            reason = (
                "is reserved" if name in _RESERVED else "is no column name: lower case letters, digits and _"
            )
            yield Finding((*place, "name"), f"{name!r} {reason}")
        mine: set[str] = set()
        for text in published_names(node):
            key = header_key(text)
            if key in mine:
                message = f"{text!r} is listed twice (case and spaces don't count)"
                yield Finding(place, message, Severity.WARNING)
            elif key in published:
                yield Finding(place, f"{text!r} is a published name of {published[key]!r} too")
            mine.add(key)
            published.setdefault(key, name)


def _keys(table: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    nodes = [node for node in table.get("properties") or () if node["name"] != TIME]
    keys = [node for node in nodes if node.get("primaryKey")]
    kind = extension(table).get("kind", "series")
    for number, node in enumerate(table.get("properties") or ()):
        if node in keys and role_of(node) in ("field", "ignored"):
            yield Finding((*path, "properties", number), f"a {role_of(node)} can't be part of the key")
        if node in keys and kind == "series" and role_of(node) == "attribute":
            message = f"{node['name']!r} identifies rows of a series, so it must be a tag"
            yield Finding((*path, "properties", number), message)
    if not keys and (kind == "reference" or any(role_of(node) == "tag" for node in nodes)):
        yield Finding(path, "no key: set primaryKey: true on the columns that identify a row")


def _fits(one: Contract, other: Contract) -> bool:
    """Whether a file with the columns of `other` has all that `one` demands."""
    there = {header_key(name) for names in _names_of(other, mandatory=False) for name in names}
    return all(any(header_key(name) in there for name in names) for names in _names_of(one, mandatory=True))


def _names_of(contract: Contract, *, mandatory: bool) -> Iterator[tuple[str, ...]]:
    if contract.time:
        for name in contract.time.columns:
            yield (name, *contract.time.aliases.get(name, ()))
    for column in contract.columns:
        if mandatory and (column.optional or column.role is Role.IGNORED):
            continue
        if column.source or column.pattern:
            names = (column.source, *column.aliases, column.pattern)
            yield tuple(name for name in names if name)


def _interval(contract: Contract) -> str | None:
    return contract.time.interval if contract.time else None
