"""What the checks of a contract have in common."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gridlake.contracts.model import Severity
from gridlake.contracts.odcs import EXTENSION, TIME, extension

type Path = tuple[str | int, ...]
type Found = tuple[Path, str] | tuple[Path, str, Severity]
"""A finding relative to the node that is being checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a path of the document."""

    path: Path
    message: str
    severity: Severity = Severity.ERROR


def below(found: Iterable[Found], path: Path) -> Iterator[Finding]:
    """Findings of a node as findings of the document."""
    for place, message, *severity in found:
        yield Finding((*path, *place), message, severity[0] if severity else Severity.ERROR)


def unknown_keys(own: Mapping[str, Any], known: Collection[str], path: Path) -> Iterator[tuple[Path, str]]:
    """Keys the platform would ignore, with the word probably meant."""
    for key in own:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
            yield (*path, str(key)), f"unknown key {key!r}{hint}"


def extension_path(node: Mapping[str, Any]) -> Path:
    """Path, below a node, of its ``gridlake`` mapping."""
    for number, item in enumerate(node.get("customProperties") or ()):
        if item.get("property") == EXTENSION:
            return ("customProperties", number, "value")
    return ()


def listed(value: Any) -> list[Any]:
    """A list, whether one value, several or none were written."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def is_number(value: Any) -> bool:
    """Whether YAML read a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_numeric(node: Mapping[str, Any]) -> bool:
    """Whether a property holds numbers."""
    return node.get("logicalType", "string") in ("number", "integer")


def role_of(node: Mapping[str, Any]) -> str:
    """The role written for a property, or what `odcs.parse` assumes."""
    return str(extension(node).get("role", "field" if is_numeric(node) else "attribute"))


def published_names(node: Mapping[str, Any]) -> Iterator[str]:
    """Every name under which a property appears in a header."""
    own = extension(node)
    if node["name"] == TIME:
        yield from map(str, listed(own.get("columns")) or listed(node.get("physicalName")))
        for names in (own.get("aliases") or {}).values():
            yield from map(str, listed(names))
        yield from map(str, listed(own.get("period_column")))
        return
    yield from map(str, listed(node.get("physicalName") or None))
    yield from map(str, listed(own.get("aliases")))
