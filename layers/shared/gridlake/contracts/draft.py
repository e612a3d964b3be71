"""A contract proposed for a file that none fits.

The proposal validates as it is, so that it can be accepted unread; everything it had to guess (zone, roles, units) is
said in it, for whoever reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from gridlake.contracts import units
from gridlake.contracts.profile import ColumnProfile, TableProfile
from gridlake.contracts.text import header_key

MAX_TAG_VALUES = 200
"""Different values up to which a text column is taken for a tag."""

MAX_TAG_SHARE = 0.2
"""Share of the rows its different values may be; a column of mostly different texts identifies nothing."""

MAX_KEY_VALUES = 5_000
"""Different values up to which a text column becomes a tag because rows of one instant can't be told apart else."""

_INTERVALS = {
    300: "PT5M",
    600: "PT10M",
    900: "PT15M",
    1800: "PT30M",
    3600: "PT1H",
    10800: "PT3H",
    21600: "PT6H",
    43200: "PT12H",
    86400: "P1D",
    604800: "P1W",
}
_UNIT = re.compile(r"[\[(]\s*([^\[\]()]+?)\s*[\])]")
_RESERVED = {"time", "year", "month", "source_row"}


def draft(profile: TableProfile, *, filename: str) -> dict[str, Any]:
    """Propose the ODCS document of an unknown file.

    Parameters
    ----------
    profile
        What reading the file found out.
    filename
        Name of the file; it becomes the dataset and the pattern future files are recognised by.

    Returns
    -------
    dict
        A document with status ``draft`` that validates without error: the first time column is the time (zone UTC,
        interval from its cadence), numeric columns are fields, texts of few values are tags and with the time the
        key, the rest is kept as attributes. A table without time becomes a reference table.
    """
    dataset = dataset_name(filename)
    columns = [column for column in profile.columns if header_key(column.name)]
    columns = list({header_key(column.name): column for column in reversed(columns)}.values())[::-1]
    numeric = [column for column in columns if column.type == "number"]
    times = [column for column in columns if column.type == "time"]
    clock = times[0] if times and numeric else None
    taken: set[str] = set(_RESERVED)
    properties = [_time(clock, profile)] if clock else []
    tags = (_tags(columns, clock, profile.rows) if clock else set()) | set(profile.key)
    used = (clock.name, profile.hour) if clock else ()
    properties += [_property(column, taken, tags) for column in columns if column.name not in used]
    if profile.repeats:
        properties.append(_occurrence(properties, taken))
    else:
        _ensure_key(properties, series=clock is not None)
    own: dict[str, Any] = {
        "kind": "series" if clock else "reference",
        "file_patterns": [_pattern(filename)],
    }
    if profile.decimal:
        own["decimal"] = profile.decimal
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": dataset,
        "name": dataset.replace("_", " "),
        "version": "0.1.0",
        "status": "draft",
        "tenant": "uploads",
        "description": {
            "purpose": f"Drafted from {PurePosixPath(filename).name}: {profile.rows} rows.",
            "limitations": _limitations(clock, profile),
        },
        "schema": [
            {
                "name": dataset,
                "logicalType": "object",
                "physicalType": "file",
                "customProperties": [{"property": "gridlake", "value": own}],
                "properties": properties,
                "quality": _quality(clock, properties),
            }
        ],
    }


def to_yaml(document: dict[str, Any]) -> str:
    """A document as YAML in the order of its keys, accents as they are."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=112))


def dataset_name(filename: str) -> str:
    """Identifier made of a file name: lower case, no accents, no extension, no dates at the end."""
    stem = PurePosixPath(filename.replace("\\", "/")).name
    while (suffix := PurePosixPath(stem).suffix) and len(suffix) <= 8 and suffix[1:].isalnum():
        stem = stem[: -len(suffix)]
    slug = _slug(stem)
    trimmed = re.sub(r"(_(?:19|20)\d{2}(?:_?\d{2}){0,2})+$", "", slug)
    name = trimmed or slug
    if not name or not name[0].isalpha():
        name = f"dataset_{name}".rstrip("_")
    return name[:60].rstrip("_")


def _time(column: ColumnProfile, profile: TableProfile) -> dict[str, Any]:
    own: dict[str, Any] = {"zone": "UTC"}
    if column.time_format:
        own["formats"] = [column.time_format]
    if profile.hour:
        hours = "{1:0>2}" if profile.hour_format == "%H" else "{1}"
        own |= {"columns": [column.name, profile.hour], "template": "{0} " + hours}
        own["formats"] = [f"{column.time_format} {profile.hour_format}"]
    interval = _interval(profile.hour_step if profile.hour else column.step_seconds)
    if interval:
        own["interval"] = interval
    own |= {"stamp": "end" if profile.hour_ends and interval else "start", "ambiguous": "infer"}
    return {
        "name": "time",
        "physicalName": column.name,
        "logicalType": "timestamp",
        "primaryKey": True,
        "required": True,
        "description": "Zone UTC is assumed unless the stamps say otherwise: correct it if they are local.",
        "customProperties": [{"property": "gridlake", "value": own}],
    }


def _tags(columns: Iterable[ColumnProfile], clock: ColumnProfile, rows: int) -> set[str]:
    """Text columns that tell series apart: those of few values, and more while rows of one instant need them."""
    texts = sorted((c for c in columns if c.type == "text" and c.distinct), key=lambda c: c.distinct)
    chosen: set[str] = set()
    combinations = max(clock.distinct, 1)
    for column in texts:
        few = column.distinct <= min(MAX_TAG_VALUES, max(2, rows * MAX_TAG_SHARE))
        needed = clock.distinct and combinations < rows and not column.nulls
        if few or (needed and column.distinct <= MAX_KEY_VALUES):
            chosen.add(column.name)
            combinations *= 1 if column.nulls else column.distinct
    return chosen


def _property(column: ColumnProfile, taken: set[str], tags: set[str]) -> dict[str, Any]:
    unit, title = _unit(column.name)
    node: dict[str, Any] = {"name": _column_name(title, unit, taken), "physicalName": column.name}
    own: dict[str, Any] = {"optional": True}
    if column.type == "number":
        node["logicalType"] = "number"
        own = {"role": "field", "unit": unit or "1"}
    elif column.type == "time":
        node["logicalType"] = "timestamp"
        own = {"role": "attribute", "optional": True}
        if column.time_format:
            own["formats"] = [column.time_format]
    else:
        node["logicalType"] = "string"
        own = {"role": "tag" if column.name in tags else "attribute"}
        if own["role"] == "tag":
            node |= {"primaryKey": True} | ({} if column.nulls else {"required": True})
        if column.nulls or own["role"] != "tag":
            own["optional"] = True
    node["customProperties"] = [{"property": "gridlake", "value": own}]
    return node


def _occurrence(properties: list[dict[str, Any]], taken: set[str]) -> dict[str, Any]:
    """A tag that numbers the rows which nothing else tells apart."""
    keys = [node["name"] for node in properties if node.get("primaryKey") and node["name"] != "time"]
    own = {"role": "tag", "derive": {"kind": "ordinal", "inputs": keys}}
    return {
        "name": _column_name("occurrence", None, taken),
        "logicalType": "string",
        "primaryKey": True,
        "description": "1, 2, … among rows with the same values of the other key columns, in file order.",
        "customProperties": [{"property": "gridlake", "value": own}],
    }


def _ensure_key(properties: list[dict[str, Any]], *, series: bool) -> None:
    """Leave no table without the key it needs: tags that are sometimes blank can't be one."""
    if any(node.get("primaryKey") for node in properties if node["name"] != "time"):
        return
    for node in properties:
        own = node["customProperties"][0]["value"]
        if series and own.get("role") == "tag":
            own["role"] = "attribute"
    if not series:
        for node in properties:
            if node["customProperties"][0]["value"]["role"] == "field":
                continue
            node["primaryKey"] = True
        if not any(node.get("primaryKey") for node in properties) and properties:
            properties[0]["customProperties"][0]["value"] = {"role": "attribute"}
            properties[0]["primaryKey"] = True


def _quality(clock: ColumnProfile | None, properties: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    unique = {"kind": "unique", "keep": "last"}
    checks = [_check("unique_key", "error", unique)]
    if clock and any("interval" in n["customProperties"][0]["value"] for n in properties):
        checks.append(_check("complete", "warning", {"kind": "completeness"}))
    return checks if any(node.get("primaryKey") for node in properties) else []


def _check(name: str, severity: str, rule: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": "custom", "engine": "gridlake", "severity": severity, "implementation": rule}


def _limitations(clock: ColumnProfile | None, profile: TableProfile) -> str:
    guessed = ["Drafted by looking at one file: read it before relying on it."]
    if clock:
        guessed.append(f"The time is {clock.name!r}, taken for UTC and for the start of its interval.")
    else:
        guessed.append("No column holds times beside numbers, so this is a reference table and not a series.")
    return " ".join([*guessed, *profile.notes])


def _interval(seconds: float | None) -> str | None:
    if not seconds or seconds <= 0:
        return None
    if 28 * 86400 <= seconds <= 31 * 86400:
        return "P1M"
    return _INTERVALS.get(round(seconds))


def _unit(name: str) -> tuple[str | None, str]:
    """The unit a header carries in brackets, and the header without it: ``Load [MW]``."""
    for match in _UNIT.finditer(name):
        known = units.canonical(match[1])
        if known:
            return known, name[: match.start()] + " " + name[match.end() :]
    last = re.split(r"[\s_]+", name.strip())[-1]
    known = units.canonical(last) if len(last) > 1 or last == "%" else None
    return known, name


def _column_name(title: str, unit: str | None, taken: set[str]) -> str:
    suffix = _slug((unit or "").replace("%", "pct").replace("/", "_")) if unit != "1" else ""
    base = _slug(title.replace("%", " pct ")) or "column"
    if suffix and not (base == suffix or base.endswith(f"_{suffix}")):
        base = f"{base[:40]}_{suffix}"
    base = base[:50].strip("_")
    if not base[0].isalpha():
        base = f"column_{base}"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def _slug(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _pattern(filename: str) -> str:
    """Name pattern (of `fnmatch`) of files like this one: digits may differ."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    stem = name.split(".")[0] or name
    escaped = re.sub(r"([\[*?])", r"[\1]", stem)
    if not any(character.isalpha() for character in stem):
        return f"{escaped}*"
    return re.sub(r"\d+(?:[-_. ]*\d+)*", "*", escaped).rstrip("*") + "*"
