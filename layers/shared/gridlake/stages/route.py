"""Stage `route`: whether an upload is to be processed, when, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gridlake.contracts.registry import Registry
from gridlake.ingestion.ledger import Claim, Ledger
from gridlake.platform import clock
from gridlake.platform.errors import PermanentError
from gridlake.platform.s3 import ObjectRef, download, head, newest_version
from gridlake.stages.common import (
    UNCATALOGUED,
    code_hash,
    counts,
    fingerprint,
    fresh_registry,
    open_ledger,
    scratch,
)
from gridlake.workflow import ExecutionContext, Source, StageResult, stage
from gridlake.workflow.context import UNVERSIONED


@stage("route")
def route(ctx: ExecutionContext) -> StageResult:
    """Claim the upload, lock its source, and decide what becomes of it.

    Status
    ------
    duplicate
        The event was delivered before; the other execution has the upload.
    superseded
        A newer version of the key exists: that one will be loaded.
    busy
        Another execution works on the source; ask again.
    unchanged
        Content, contract and code are those of what is loaded.
    small, large
        To be processed, by the function of that size.

    Raises
    ------
    UnreadableFileError
        The content is hopeless (empty, truncated, encrypted …).
    PermanentError
        The object is gone (`object_missing`), too large (`file_too_large`), or may not be read.
    ConflictError
        A redrive while another execution works on the upload.
    """
    source, ledger = ctx.source, open_ledger(ctx)
    if ledger.claim(source, ctx.execution) is Claim.DUPLICATE:
        return StageResult("duplicate", {"ingestion_id": source.ingestion_id}, source=source)
    if _superseded(source):
        return _supersede(ctx, ledger, source)
    if not ledger.acquire_lock(source.source_id, ctx.execution.name):
        ledger.update(source.ingestion_id, ctx.execution.name, stage="route")
        return StageResult("busy", {"ingestion_id": source.ingestion_id}, source=source)
    if _superseded(source):  # a newer upload may have come and gone while this one waited for the lock
        ledger.release_lock(source.source_id, ctx.execution.name)
        return _supersede(ctx, ledger, source)

    facts = head(source.ref)
    source = dataclasses.replace(source, etag=facts.etag, size=facts.size)
    record = ledger.get(source.ingestion_id)
    output = {
        "ingestion_id": source.ingestion_id,
        "sequence": int(clock.parse(record["received_at"]).timestamp() * 1000),
        "code": code_hash(ctx),
    }
    ledger.update(
        source.ingestion_id,
        ctx.execution.name,
        stage="route",
        status="running",
        etag=facts.etag,
        size=facts.size,
    )
    if facts.size > ctx.settings.large_max_bytes:
        raise _too_large(source, facts.size, ctx.settings.large_max_bytes)
    registry = fresh_registry(ctx)
    output["contracts"] = fingerprint(registry)
    current = ledger.current(source.source_id)
    if current and not source.redrive and _unchanged(source, output, current, ledger, registry):
        return StageResult("unchanged", {**output, **_as_loaded(current)}, source=source)
    if facts.size > ctx.settings.lambda_max_bytes:
        return StageResult("large", output, source=source)
    found = _inspect(source, registry)
    ledger.update(source.ingestion_id, ctx.execution.name, dataset=found["match"]["dataset"] or UNCATALOGUED)
    size = found["uncompressed_size"] or facts.size
    if size > ctx.settings.large_max_bytes:
        raise _too_large(source, size, ctx.settings.large_max_bytes)
    return StageResult(
        "large" if size > ctx.settings.lambda_max_bytes else "small", {**output, **found}, source=source
    )


def _superseded(source: Source) -> bool:
    """Whether a newer version of the key was written. A delete marker is none: what was uploaded is loaded."""
    try:
        latest = head(ObjectRef(source.bucket, source.key)).version_id or UNVERSIONED
    except PermanentError as error:
        if error.error_code != "object_missing":
            raise
        latest = newest_version(source.bucket, source.key) or source.version_id
    return latest != source.version_id


def _supersede(ctx: ExecutionContext, ledger: Ledger, source: Source) -> StageResult:
    notice = "a newer version of the file was uploaded before this one was processed; the newer one is loaded"
    ledger.finish(source.ingestion_id, ctx.execution.name, status="superseded", notices=[notice])
    return StageResult("superseded", {"ingestion_id": source.ingestion_id}, source=source)


def _unchanged(
    source: Source, output: Mapping[str, Any], current: Mapping[str, Any], ledger: Ledger, registry: Registry
) -> bool:
    if (current["etag"], current["code"]) != (source.etag, output["code"]) or ledger.pending(
        source.source_id
    ):
        return False
    if current["dataset"] == UNCATALOGUED:
        return bool(current["contracts"] == output["contracts"])
    return (
        current["dataset"] in registry
        and current["contract_version"] == registry.document(current["dataset"])["version"]
    )


def _as_loaded(current: Mapping[str, Any]) -> dict[str, Any]:
    return {"loaded_by": current["ingestion_id"], "dataset": current["dataset"], **counts(current)}


def _inspect(source: Source, registry: Registry) -> dict[str, Any]:
    """Format, size and contract of a file, so that a hopeless one fails before anything larger starts."""
    from gridlake.ingestion.detect import match, sniff

    with scratch() as folder:
        path = download(source.ref, folder, size=source.size)
        facts = sniff(path, filename=source.ref.filename)
    found = match(facts, registry.all())
    described = {
        name: getattr(facts, name) for name in ("format", "compression", "encoding", "delimiter", "decimal")
    }
    return {**described, "uncompressed_size": facts.uncompressed_size, "match": found.as_dict()}


def _too_large(source: Source, size: int, limit: int) -> PermanentError:
    return PermanentError(
        f"{source.ref.filename} has {size} bytes, the limit is {limit}",
        code="file_too_large",
        hint="split the file, or raise LARGE_MAX_BYTES together with the function's EphemeralStorage",
    )
