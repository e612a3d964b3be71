"""Stage `verify`: whether the lake and InfluxDB hold the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gridlake.contracts.model import Contract, Kind
from gridlake.platform import clock
from gridlake.platform.errors import InvalidRequestError, PermanentError
from gridlake.stages.common import fresh_registry
from gridlake.stages.lake import partitions_of
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.reconciliation import verify_months
from gridlake.workflow import ExecutionContext, StageResult, stage

MAX_DIFFERENCES = 1_000
STOP_BEFORE_MS = 30_000


@stage("verify")
def verify(ctx: ExecutionContext) -> StageResult:
    """Compare datasets month by month and field by field, by count and checksum.

    The request names ``dataset`` (all series when absent), ``start`` and ``end`` (half-open, ISO 8601).

    Status
    ------
    equal, different
        As found. ``complete`` of the output is false when the time ran out before the end.

    Raises
    ------
    NotFoundError
        There is no such dataset (`unknown_dataset`).
    InvalidRequestError
        The dataset is a register, or a time is not ISO 8601.
    TransientError
        InfluxDB does not answer.
    """
    request = ctx.request.get("request") or ctx.request
    start, end = _instant(request, "start"), _instant(request, "end")
    datasets: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    handler = InfluxDBHandler.from_settings(ctx.settings)
    complete = True
    try:
        for contract in _chosen(ctx, request.get("dataset")):
            found: dict[str, Any] = {"dataset": contract.dataset, "months": 0, "values": 0, "differences": 0}
            files = list(partitions_of(ctx.settings.lake_bucket, contract.dataset))
            for month in verify_months(contract, files, handler, start, end):
                found["months"] += 1
                found["values"] += month.values
                found["differences"] += len(month.differences)
                differences += map(asdict, month.differences[: max(0, MAX_DIFFERENCES - len(differences))])
                complete = ctx.remaining_ms() > STOP_BEFORE_MS
                if not complete:
                    break
            if found["months"] or request.get("dataset"):
                datasets.append({**found, "equal": not found["differences"]})
            if not complete:
                break
    finally:
        handler.close()
    if not complete and not differences:
        raise PermanentError(
            f"the comparison did not end in time: it came to {datasets[-1]['dataset']}",
            code="verification_too_long",
            hint="ask for one dataset, or for a range with start and end",
        )
    status = "equal" if not differences else "different"
    return StageResult(
        status,
        {
            "verification_id": ctx.execution.name,
            "status": status,
            "complete": complete,
            "request": dict(request),
            "datasets": datasets,
            "differences": differences,
            "finished_at": clock.timestamp(),
        },
    )


def _chosen(ctx: ExecutionContext, dataset: str | None) -> Iterable[Contract]:
    registry = fresh_registry(ctx)
    if not dataset:
        return [contract for contract in registry.all() if contract.kind is Kind.SERIES]
    contract = registry.get(dataset)
    if contract.kind is not Kind.SERIES:
        raise InvalidRequestError(
            f"{dataset} is a register: it has no series to compare", code="not_a_series"
        )
    return [contract]


def _instant(request: Any, name: str) -> datetime | None:
    text = request.get(name)
    if not text:
        return None
    try:
        return clock.parse(text)
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(
            f"{name} is {text!r}, which is not ISO 8601", hint="write 2026-11-20 or 2026-11-20T13:00:00Z"
        ) from error
