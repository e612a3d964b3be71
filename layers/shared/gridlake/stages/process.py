"""Stage `process`: from the raw object version to published silver and quarantined rows."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gridlake.contracts.model import Contract, Kind
from gridlake.contracts.registry import Registry
from gridlake.ingestion import silver
from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.ledger import Ledger
from gridlake.ingestion.pipeline import process_file
from gridlake.ingestion.report import SourceRef
from gridlake.platform.errors import PermanentError
from gridlake.platform.s3 import ObjectRef, download, head
from gridlake.stages.common import UNCATALOGUED, dataset_of, enter, fresh_registry, scratch
from gridlake.workflow import ExecutionContext, StageResult, stage


@stage("process")
def process(ctx: ExecutionContext) -> StageResult:
    """Download, read, standardise, check and publish one file.

    Before anything is written the ledger learns which silver objects may appear, so that the next attempt or revision
    removes what this one might leave behind. Silver objects of the previous version of the file are listed in the
    output with their S3 versions: the load needs their rows to find those that vanished.

    Status
    ------
    load
        Points must be written or removed.
    record
        InfluxDB is not concerned (reference tables, uncatalogued files).

    Raises
    ------
    PermanentError
        The file can't be ingested; `details` has the counts of rows as far as it was read.
    ConflictError
        Another execution has taken over.
    """
    started = time.monotonic()
    ledger, source = enter(ctx), ctx.source
    routed = ctx.output_of("route")
    registry = fresh_registry(ctx)
    with scratch() as folder:
        path = download(source.ref, folder, size=source.size)
        facts = sniff(path, filename=source.ref.filename)
        found = match(facts, registry.all())
        contract = found.contract
        out = folder / "out"
        out.mkdir()
        origin = SourceRef(
            source_id=source.source_id,
            uri=source.ref.uri,
            ingestion_id=source.ingestion_id,
            sequence=routed["sequence"],
        )
        try:
            report = process_file(path, facts=facts, contract=contract, source=origin, out=out)
        except PermanentError as error:
            if kept := _keep_quarantine(ctx, out):
                error.details["quarantine_uri"] = kept
            raise
        path.unlink()
        turn = ledger.turn(report.dataset)  # before anything of this file can be seen: see `load`
        previous, published = _publish(ctx, ledger, out)
    return StageResult(
        "load" if _concerns_influx(registry, contract, previous) else "record",
        {
            "report": report.as_dict(),
            "document": dict(registry.document(contract.dataset)) if contract else None,
            "silver": published,
            "previous": previous,
            "turn": turn,
            "draft_key": f"silver/{UNCATALOGUED}/{source.source_id}/draft.yaml" if contract is None else None,
            "seconds": round(time.monotonic() - started, 3),
        },
    )


def _publish(
    ctx: ExecutionContext, ledger: Ledger, out: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Publish what was written to `out`; answers the source's older and its new silver objects."""
    source_id, lake = ctx.source.source_id, ctx.settings.lake_bucket
    ledger.keep_lock(source_id, ctx.execution.name)
    loaded = (ledger.current(source_id) or {}).get("silver", [])
    previous = _distinct([*loaded, *ledger.pending(source_id)])
    coming = [
        {"key": p.relative_to(out).as_posix()} for p in sorted((out / "silver").rglob("*")) if p.is_file()
    ]
    pending = _distinct([*ledger.pending(source_id), *coming])
    ledger.set_pending(source_id, pending)
    published = silver.publish(
        out,
        lake_bucket=lake,
        quarantine_bucket=ctx.settings.quarantine_bucket,
        glue_database=ctx.settings.glue_database,
        previous=sorted({entry["key"] for entry in previous}),
    )
    written = [{"key": key, "version_id": head(ObjectRef(lake, key)).version_id} for key in published.keys]
    ledger.set_pending(source_id, _distinct([*pending, *written]))
    return [entry for entry in previous if entry.get("version_id")], written


def _distinct(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries without repetitions, and without those that name no version where another of the key does."""
    by_place = {
        (e["key"], e.get("version_id")): {"key": e["key"], "version_id": e.get("version_id")} for e in entries
    }
    known = {key for key, version in by_place if version}
    return [entry for (key, version), entry in by_place.items() if version or key not in known]


def _concerns_influx(registry: Registry, contract: Contract | None, previous: list[dict[str, Any]]) -> bool:
    datasets = {dataset_of(entry["key"]) for entry in previous}
    before = (registry.get(name) for name in datasets if name in registry)
    return any(c.kind is Kind.SERIES for c in (contract, *before) if c is not None)


def _keep_quarantine(ctx: ExecutionContext, out: Path) -> str | None:
    """Keep the quarantined rows of a file that failed as a whole, for they say why; answers where.

    They do not replace those of the version that is loaded.
    """
    from gridlake.platform.aws_errors import calling
    from gridlake.platform.clients import client

    bucket = ctx.settings.quarantine_bucket
    for path in (out / "quarantine").rglob("*.parquet"):
        key = f"quarantine/{path.parent.name}/rejected/{ctx.source.ingestion_id}.parquet"
        with calling("write", f"s3://{bucket}/{key}"):
            client("s3").upload_file(str(path), bucket, key)
        return f"s3://{bucket}/{key}"
    return None
