"""Start a verification, wait for it, say what differs."""

from __future__ import annotations

import time
from typing import Any

from gridlake_cli import output
from gridlake_cli.client import Api
from gridlake_cli.errors import CommandError


def verification(
    api: Api, *, dataset: str | None, start: str | None, end: str | None, timeout: float
) -> dict[str, Any]:
    """Run a verification to its end.

    Returns
    -------
    dict
        The API's answer with ``equal``: whether lake and InfluxDB hold the same.

    Raises
    ------
    CommandError
        It failed or did not end in time.
    """
    request = {"dataset": dataset, "start": start, "end": end}
    answer = api.post("/verifications", {name: value for name, value in request.items() if value})
    verification_id = answer["verification_id"]
    deadline = time.monotonic() + timeout
    pause = 0.3
    while answer.get("status", "running") == "running":
        if time.monotonic() > deadline:
            raise CommandError(
                f"Verification {verification_id} is not finished after {timeout:.0f} s.",
                hint="Verify one dataset or a shorter range, or wait longer with --timeout.",
                code="timeout",
            )
        time.sleep(pause)
        pause = min(pause * 1.4, 3.0)
        answer = api.get(f"/verifications/{verification_id}")
    if answer["status"] == "failed":
        error = answer.get("error") or {}
        raise CommandError(
            f"Verification {verification_id} failed: {error.get('message', 'no reason was recorded')}",
            hint=error.get("hint"),
            code=error.get("code", "verification_failed"),
        )
    result = answer.pop("result", None) or {}
    equal = not result.get("differences")
    return {**result, **answer, "equal": equal}


def show(answer: dict[str, Any]) -> None:
    """What was compared, then the differences."""
    checked = answer.get("datasets") or []
    if checked:
        output.table(
            ["dataset", "months", "values", "differences"],
            [
                [entry.get(name) for name in ("dataset", "months", "values", "differences")]
                for entry in checked
            ],
            numbers=(1, 2, 3),
        )
    differences = answer.get("differences") or []
    if not differences:
        output.out().print("[green]equal[/]: the lake and InfluxDB hold the same values")
        return
    columns = list(dict.fromkeys(name for entry in differences for name in entry))
    rows = [[entry.get(name) for name in columns] for entry in differences]
    output.table(columns, rows, title="differences")
    output.message(
        "The lake is the truth: redrive the ingestions of these months to write them to InfluxDB again.",
        style="yellow",
    )
