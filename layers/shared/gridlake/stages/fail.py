"""Stage `fail`: nothing is lost when an ingestion fails, and everybody learns why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gridlake.ingestion.ledger import UNFINISHED, Claim, Ledger, accounted
from gridlake.platform import clock
from gridlake.platform.aws_errors import calling
from gridlake.platform.clients import client
from gridlake.platform.errors import ConflictError, PermanentError
from gridlake.platform.observability import Metric, emit, logger
from gridlake.platform.s3 import ObjectRef, write_json
from gridlake.stages.common import counts, dataset_of, open_ledger
from gridlake.workflow import ExecutionContext, Source, StageResult, stage
from gridlake.workflow.failure import parse

SUBJECT_LIMIT = 100
FILENAME_LIMIT = 255
MANIFEST = "error.json"


@stage("fail")
def fail(ctx: ExecutionContext) -> StageResult:
    """Copy the raw version beside a manifest, end the record as failed, alert, give the lock back.

    Status
    ------
    failed
        Recorded; ``error`` of the payload has code, message and hint.
    ignored
        The upload belongs to another execution (a redrive that came too early), or the last stage had finished its
        work before its answer was lost: nothing was touched.
    """
    error = parse(ctx.failure)
    source, ledger = ctx.source, open_ledger(ctx)
    known = _ours(ctx, ledger, source)
    if known is None:
        logger.warning("failure of an execution that does not have the upload", extra={"code": error["code"]})
        return StageResult("ignored", {"error": error}, source=source, error=error)
    failed_stage = known.get("stage", "route")
    rows = _counts(ctx, error)
    folder = f"failed/{source.ingestion_id}"
    manifest = {
        "ingestion_id": source.ingestion_id,
        "file": source.ref.filename,
        "raw": source.ref.uri,
        "etag": source.etag,
        "size": source.size,
        "stage": failed_stage,
        "error": error,
        "execution": ctx.execution.id,
        "attempts": known.get("attempts", 1),
        "failed_at": clock.timestamp(),
        **rows,
        "redrive": f"gridlake redrive {source.ingestion_id}",
    }
    manifest["copy"] = _copy(ctx, source, folder)
    place = ObjectRef(ctx.settings.quarantine_bucket, f"{folder}/{MANIFEST}")
    write_json(place, manifest)
    _record(ctx, ledger, source, error, rows, place.uri)
    for dataset in _datasets(ctx):
        ledger.end_turn(dataset, ctx.execution.name)
    ledger.release_lock(source.source_id, ctx.execution.name)
    _alert(ctx, manifest)
    emit(known.get("dataset") or "unknown", {Metric.FAILURES: 1})
    return StageResult("failed", manifest, source=source, error=error)


def _ours(ctx: ExecutionContext, ledger: Ledger, source: Source) -> Mapping[str, Any] | None:
    """The upload's record, made now if the failure came before it; None where another execution has the upload."""
    try:
        claim = ledger.claim(source, ctx.execution)
    except ConflictError:
        return None
    record = ledger.get(source.ingestion_id)
    ours = claim is Claim.OURS or record["execution"] == ctx.execution.name
    return record if ours and record["status"] in {*UNFINISHED, "failed"} else None


def _counts(ctx: ExecutionContext, error: Mapping[str, Any]) -> dict[str, Any]:
    """Rows by fate as far as the file was read.

    A file that failed as a whole brings its counts with the error. When only the load failed, its rows are in the lake
    and are counted as the process stage left them.
    """
    reported = counts(error.get("details") or {})
    if not reported and "process" in ctx.stages:
        try:
            reported = counts(ctx.output_of("process")["report"])
        except PermanentError:
            return {}
    return reported if accounted(reported) else {}


def _datasets(ctx: ExecutionContext) -> set[str]:
    """Datasets whose points this execution may have been replacing."""
    if "process" not in ctx.stages:
        return set()
    try:
        processed = ctx.output_of("process")
    except PermanentError:
        return set()
    return {processed["report"]["dataset"], *(dataset_of(entry["key"]) for entry in processed["previous"])}


def _copy(ctx: ExecutionContext, source: Source, folder: str) -> dict[str, Any]:
    """Copy the raw version; a version that can't be copied any more is said so and stops nothing."""
    name = source.ref.filename.encode()[-FILENAME_LIMIT:].decode(errors="ignore")
    kept = "file" if not name.strip(".") or name == MANIFEST else name
    place = ObjectRef(ctx.settings.quarantine_bucket, f"{folder}/{kept}")
    try:
        with calling("copy", source.ref.uri):
            client("s3").copy(source.ref.arguments(), place.bucket, place.key)
    except PermanentError as error:
        return {"error": error.as_dict()}
    return {"uri": place.uri}


def _record(
    ctx: ExecutionContext,
    ledger: Ledger,
    source: Source,
    error: Mapping[str, Any],
    rows: Mapping[str, Any],
    manifest: str,
) -> None:
    seconds = round((clock.now() - clock.parse(ctx.execution.started_at)).total_seconds(), 3)
    lineage = {"raw": source.ref.uri, "execution": ctx.execution.id, "silver": [], "manifest": manifest}
    if rejected := (error.get("details") or {}).get("quarantine_uri"):
        lineage["quarantine"] = rejected
    shown = {name: error[name] for name in ("code", "message", "hint") if error.get(name)}
    ledger.fail(
        source.ingestion_id, ctx.execution.name, error=shown, seconds=seconds, lineage=lineage, **rows
    )


def _alert(ctx: ExecutionContext, manifest: Mapping[str, Any]) -> None:
    subject = f"Gridlake {ctx.settings.environment}: {manifest['error']['code']} in {manifest['file']}"
    with calling("publish to", ctx.settings.alerts_topic_arn):
        client("sns").publish(
            TopicArn=ctx.settings.alerts_topic_arn,
            Subject="".join(c if " " <= c <= "~" else "?" for c in subject)[:SUBJECT_LIMIT],
            Message=json.dumps(manifest, ensure_ascii=False, indent=2, default=str),
        )
