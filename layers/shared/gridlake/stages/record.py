"""Stage `record`: close the upload's record and say what its source now holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridlake.ingestion.ledger import Ledger
from gridlake.platform import clock
from gridlake.platform.observability import Metric, emit
from gridlake.stages.common import UNCATALOGUED, counts, enter, open_ledger
from gridlake.workflow import ExecutionContext, StageResult, stage

DONE = frozenset({"loaded", "partial", UNCATALOGUED})

LISTED = 50
"""Warnings and notices kept in a record; a stage's output has all of them."""


@stage("record")
def record(ctx: ExecutionContext) -> StageResult:
    """Write the final record, what is loaded, and the dataset's new version; give the lock back; count.

    Every step may be repeated, and the lock is given back last, so that a retry ends where the first try would have.

    Status
    ------
    loaded, partial, uncatalogued
        As in the record.
    """
    known = open_ledger(ctx).get(ctx.source.ingestion_id)
    if known["execution"] == ctx.execution.name and known["status"] in DONE:
        return StageResult(known["status"], known)  # only the answer of the first try was lost
    ledger = enter(ctx)
    unchanged = ctx.stages["route"]["status"] == "unchanged"
    final = _unchanged(ctx, ledger) if unchanged else _loaded(ctx, ledger)
    seconds = round((clock.now() - clock.parse(ctx.execution.started_at)).total_seconds(), 3)
    status = _status(final)
    ledger.finish(
        ctx.source.ingestion_id, ctx.execution.name, status=status, stage="record", seconds=seconds, **final
    )
    ledger.release_lock(ctx.source.source_id, ctx.execution.name)
    emit(
        final["dataset"],
        {
            Metric.ROWS_LOADED: 0 if final["unchanged"] else final["rows_loaded"],
            Metric.ROWS_QUARANTINED: 0 if final["unchanged"] else final["rows_quarantined"],
            Metric.POINTS_WRITTEN: final["points_written"],
            Metric.INGESTION_SECONDS: seconds,
        },
    )
    return StageResult(status, {"status": status, "seconds": seconds, **final})


def _unchanged(ctx: ExecutionContext, ledger: Ledger) -> dict[str, Any]:
    """The fields of a record whose file is loaded already: counts of that load, nothing written."""
    current = ledger.current(ctx.source.source_id) or {}
    ledger.set_current(ctx.source.source_id, {**current, "version_id": ctx.source.version_id})
    known = ("dataset", "contract_version", "dataset_version", "draft_key", "min_time", "max_time")
    return {
        **{name: current.get(name) for name in known},
        **counts(current),
        "points_written": 0,
        "unchanged": True,
        "warnings": current.get("warnings", []),
        "notices": [
            f"the content is that of {current.get('ingestion_id')}, which is loaded: nothing was written"
        ],
        "timings": {},
        "lineage": _lineage(ctx, current.get("silver", []), current.get("quarantine_uri")),
    }


def _loaded(ctx: ExecutionContext, ledger: Ledger) -> dict[str, Any]:
    source, routed = ctx.source, ctx.output_of("route")
    processed = ctx.output_of("process")
    loaded = ctx.output_of("load") if "load" in ctx.stages else {}
    report = {**processed["report"], **loaded.get("report", {})}
    silver = loaded.get("silver") or processed["silver"]
    dataset, points = report["dataset"], int(loaded.get("points_written", 0))
    place = report.get("quarantine_path")
    quarantine = f"s3://{ctx.settings.quarantine_bucket}/{place}" if place else None
    before = ledger.current(source.source_id)
    version = _count(ledger, source.source_id, before, report, points)
    final = {
        "dataset": dataset,
        "contract_version": report["contract_version"],
        "dataset_version": version,
        **counts(report),
        "points_written": points,
        "min_time": report.get("min_time"),
        "max_time": report.get("max_time"),
        "warnings": report.get("warnings", [])[:LISTED],
        "notices": [*report.get("notices", []), *loaded.get("notices", [])][:LISTED],
        "draft_key": processed.get("draft_key"),
        "timings": {"process": processed["seconds"], "load": loaded.get("seconds", 0.0)},
        "unchanged": False,
        "lineage": _lineage(ctx, silver, quarantine),
    }
    kept = ("dataset", "contract_version", "dataset_version", "warnings", "draft_key", "min_time", "max_time")
    ledger.set_current(
        source.source_id,
        {
            **{name: final[name] for name in kept},
            **counts(report),
            "kind": report["kind"],
            "ingestion_id": source.ingestion_id,
            "execution": ctx.execution.name,
            "version_id": source.version_id,
            "etag": source.etag,
            "code": routed["code"],
            "contracts": routed["contracts"],
            "silver": silver,
            "quarantine_uri": quarantine,
            "points_written": points,
            "loaded_at": clock.timestamp(),
        },
    )
    return final


def _count(
    ledger: Ledger, source_id: str, before: Mapping[str, Any] | None, report: Mapping[str, Any], points: int
) -> int | None:
    """Count what the source holds now in its dataset, and no longer in the one it was in."""
    dataset = report["dataset"]
    if before and before["dataset"] not in (dataset, UNCATALOGUED):
        ledger.drop_rows(before["dataset"], source_id)
    if dataset == UNCATALOGUED:
        return None
    return ledger.set_rows(
        dataset,
        source_id,
        {
            "rows": report["rows_loaded"],
            "points": points,
            "min_time": report.get("min_time"),
            "max_time": report.get("max_time"),
        },
    )


def _lineage(ctx: ExecutionContext, silver: list[dict[str, Any]], quarantine: str | None) -> dict[str, Any]:
    lake = ctx.settings.lake_bucket
    return {
        "raw": ctx.source.ref.uri,
        "silver": [f"s3://{lake}/{entry['key']}" for entry in silver],
        "quarantine": quarantine,
        "execution": ctx.execution.id,
    }


def _status(final: Mapping[str, Any]) -> str:
    if final["dataset"] == UNCATALOGUED:
        return UNCATALOGUED
    return "partial" if final["rows_quarantined"] else "loaded"
