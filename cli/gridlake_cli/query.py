"""From options to a request of the API, and from its answer to text."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gridlake_cli.client import Api
from gridlake_cli.errors import UNUSABLE, CommandError


def request_body(
    dataset: str,
    *,
    measures: Sequence[str],
    filters: Sequence[str],
    units: Sequence[str],
    group_by: Sequence[str] | None,
    **optional: Any,
) -> dict[str, Any]:
    """Body of ``POST /timeseries/query``; what was not said is left out.

    Raises
    ------
    CommandError
        A filter or a unit is not written as NAME=VALUE.
    """
    body: dict[str, Any] = {"dataset": dataset}
    if measures:
        body["measures"] = list(measures)
    wanted: dict[str, list[str]] = {}
    for entry in filters:
        tag, value = _pair(entry, "--filter", "subsystem=SE")
        wanted.setdefault(tag, []).append(value)
    if wanted:
        body["filters"] = {tag: values[0] if len(values) == 1 else values for tag, values in wanted.items()}
    if group_by is not None:
        body["group_by"] = [tag for tag in group_by if tag and tag != "none"]
    body |= {name: value for name, value in optional.items() if value is not None}
    if units:
        body["units"] = _units(units, measures)
    return body


def ask(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    """Send a query; without measures, ask for all that the dataset has."""
    if "measures" not in body:
        dataset = api.get(f"/datasets/{body['dataset']}")
        names = [
            entry["name"] if isinstance(entry, dict) else str(entry) for entry in dataset.get("measures", [])
        ]
        if not names:
            raise CommandError(
                f"{body['dataset']} has no measures to query.",
                hint="It is a reference table; it lives in the lake only.",
                code="not_a_series",
                exit_code=UNUSABLE,
            )
        unit = body.get("units", {}).pop("", None)
        body = {**body, "measures": names}
        if unit:
            body["units"] = dict.fromkeys(names, unit)
    answer: dict[str, Any] = api.post("/timeseries/query", body)
    return answer


def write_csv(answer: dict[str, Any]) -> None:
    """Rows as CSV on standard output, names of measures without units."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column["name"] for column in answer["columns"]])
    writer.writerows(answer["rows"])


def heading(column: dict[str, Any]) -> str:
    """Name and unit of a column."""
    return (
        f"{column['name']} [{column['unit']}]".replace("[", "(").replace("]", ")")
        if column.get("unit")
        else column["name"]
    )


def query_text(answer: dict[str, Any]) -> list[str]:
    """The rendered queries, one text each."""
    text = (answer.get("query") or {}).get("text") or []
    return [text] if isinstance(text, str) else [str(entry) for entry in text]


def instant(value: Any) -> datetime | None:
    """A time of the answer; None if it is not one."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def local_times(answer: dict[str, Any], rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows with the time as the zone of the dataset shows it."""
    zone = ZoneInfo(answer.get("zone") or "UTC")
    times = {i for i, column in enumerate(answer["columns"]) if column["name"] == "time"}
    return [[_local(cell, zone) if i in times else cell for i, cell in enumerate(row)] for row in rows]


def _local(value: Any, zone: ZoneInfo) -> str:
    moment = instant(value)
    if moment is None or moment.tzinfo is None:
        return str(value)
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M%z")


def _pair(entry: str, option: str, example: str) -> tuple[str, str]:
    name, sign, value = entry.partition("=")
    if not sign or not name.strip():
        raise CommandError(
            f"{option} {entry!r} is not NAME=VALUE.",
            hint=f"Write it like {option} {example}",
            code="usage",
            exit_code=UNUSABLE,
        )
    return name.strip(), value.strip()


def _units(units: Sequence[str], measures: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for entry in units:
        if "=" in entry:
            name, value = _pair(entry, "--unit", "load_mw=GW")
            chosen[name] = value
        elif measures:
            chosen |= dict.fromkeys(measures, entry)
        else:
            chosen[""] = entry
    return chosen
