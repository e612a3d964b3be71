"""From options to a request of the API, and from its answer to text."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
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
    """Send a query; the range that was not said is all that is loaded.

    Raises
    ------
    CommandError
        Nothing is loaded yet, so there is no range to ask for.
    """
    if "start" not in body or "end" not in body or "" in body.get("units", {}):
        dataset = api.get(f"/datasets/{body['dataset']}")
        body = {**_loaded_range(dataset), **body}
        everywhere = body.get("units", {}).pop("", None)
        if everywhere:
            body["units"] |= {measure["name"]: everywhere for measure in dataset.get("measures", [])}
    answer: dict[str, Any] = api.post("/timeseries/query", body)
    return answer


def _loaded_range(dataset: dict[str, Any]) -> dict[str, str]:
    first, last = instant(dataset.get("start")), instant(dataset.get("end"))
    if first is None or last is None:
        raise CommandError(
            f"Nothing of {dataset.get('dataset')} is loaded yet.",
            hint="Ingest a file first, or give --start and --end.",
            code="no_rows",
        )
    return {"start": first.isoformat(), "end": (last + timedelta(days=1)).isoformat()}


def write_csv(answer: dict[str, Any]) -> None:
    """Rows as CSV on standard output, names of measures without units."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column["name"] for column in answer["columns"]])
    writer.writerows(answer["rows"])


def heading(column: dict[str, Any]) -> str:
    """Name and unit of a column."""
    return f"{column['name']} ({column['unit']})" if column.get("unit") else column["name"]


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
