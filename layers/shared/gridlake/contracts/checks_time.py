"""Rules for the time of a contract: zones, formats, intervals."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from gridlake.contracts.findings import Found, Path, extension_path, listed, unknown_keys
from gridlake.contracts.odcs import extension
from gridlake.contracts.text import EPOCH_FORMATS

DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
"""ISO 8601 duration of whole numbers."""

_KEYS = {
    "role",
    "columns",
    "aliases",
    "template",
    "formats",
    "split",
    "period_column",
    "zone",
    "zones",
    "stamp",
    "interval",
    "interval_varies",
    "shift",
    "end_of_day",
    "ambiguous",
    "nonexistent",
}
_CHOICES = {
    "stamp": ("start", "end"),
    "ambiguous": ("earliest", "latest", "infer", "quarantine"),
    "nonexistent": ("quarantine", "shift"),
}
_DIRECTIVES = set("aAwdbBmyYHIpMSfzZjUWcxX%uVGsDTFRehn")


def check_time(node: Mapping[str, Any]) -> Iterator[Found]:
    """Everything wrong with the property named time, as (path below it, message)."""
    own = extension(node)
    place = extension_path(node)
    if node.get("logicalType", "timestamp") not in ("timestamp", "date", "string") or own.get("role") not in (
        None,
        "time",
    ):
        yield ("name",), "the name 'time' is kept for when a row is; name this column otherwise"
        return
    if not own:
        yield (), "the time needs a gridlake custom property that says zone, formats and interval"
        return
    yield from unknown_keys(own, _KEYS, place)
    yield from _shape(node, own, place)
    for key, zone in [
        ("zone", own.get("zone", "UTC")),
        *(("zones", z) for z in (own.get("zones") or {}).values()),
    ]:
        if not _zone_exists(str(zone)):
            yield (*place, key), f"unknown time zone {zone!r}; write an IANA name such as America/Sao_Paulo"
    for key, choices in _CHOICES.items():
        if own.get(key) is not None and own[key] not in choices:
            yield (*place, key), f"must be one of {', '.join(choices)}"
    for number, text in enumerate(listed(own.get("formats"))):
        fault = format_fault(text)
        if fault:
            yield (*place, "formats", number), fault
    yield from _durations(own, place)


def format_fault(text: Any) -> str | None:
    """What is wrong with a strptime format; None for a sound one."""
    if text in EPOCH_FORMATS:
        return None
    if not isinstance(text, str) or "%" not in text:
        return f"{text!r} is no strptime format such as '%Y-%m-%d %H:%M:%S'"
    directives = re.findall(r"%(.?)", text)
    wrong = [directive for directive in directives if directive not in _DIRECTIVES]
    if wrong:
        return f"{text!r} holds the unknown directive '%{wrong[0]}'"
    named = [directive for directive in directives if directive != "%"]
    if len(named) != len(set(named)):
        return f"{text!r} holds a directive twice"
    if not set(named) & set("yYGcxsDF"):
        return f"{text!r} says no year"
    if "I" in named and "p" not in named:
        return f"{text!r} has %I without %p: morning and afternoon can't be told apart"
    try:
        sample = datetime(2021, 10, 31, 13, 45, 30, 123456, tzinfo=UTC)
        datetime.strptime(sample.strftime(text), text).replace(tzinfo=UTC)
    except ValueError as problem:
        return f"{text!r} can't read back what it writes: {problem}"
    return None


def duration_fault(text: Any, *, signed: bool = False) -> str | None:
    """What is wrong with an ISO 8601 duration; None for a sound one."""
    body = str(text).removeprefix("-") if signed else str(text)
    match = DURATION.fullmatch(body)
    if not match or not any(match.groups()):
        return f"{text!r} is no ISO 8601 duration such as PT30M, PT1H, P1D or P1M"
    if not any(int(group) for group in match.groups() if group):
        return f"{text!r} has no length"
    return None


def _shape(node: Mapping[str, Any], own: Mapping[str, Any], place: Path) -> Iterator[Found]:
    columns = listed(own.get("columns")) or listed(node.get("physicalName"))
    if not columns:
        yield (), "the time needs a physicalName, or columns in its gridlake property"
    for name in own.get("aliases") or {}:
        if name not in columns:
            yield (*place, "aliases", name), f"{name!r} is none of the columns of the time"
    template = own.get("template", "{0}")
    try:
        joined = str(template).format(*["0"] * len(columns))
    except (IndexError, KeyError, ValueError) as problem:
        yield (*place, "template"), f"{template!r} doesn't fit {len(columns)} columns: {problem}"
    else:
        if not joined:
            yield (*place, "template"), "is empty"
    if own.get("split") is not None and not str(own["split"]):
        yield (*place, "split"), "is empty"
    if own.get("stamp") == "end" and not own.get("interval"):
        yield place, "a stamp at the end needs the interval, from which the start follows"
    if own.get("period_column") and not own.get("interval"):
        yield place, "period_column needs the interval it counts"


def _durations(own: Mapping[str, Any], place: Path) -> Iterator[Found]:
    for key, signed in (("interval", False), ("shift", True)):
        if own.get(key) is not None:
            fault = duration_fault(own[key], signed=signed)
            if fault:
                yield (*place, key), fault
    ending = own.get("end_of_day")
    if ending is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", str(ending)):
        yield (*place, "end_of_day"), f"{ending!r} is no time of day such as '23:59:00' (in quotes)"


def _zone_exists(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)
