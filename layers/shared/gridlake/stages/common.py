"""What the stages of the ingestion workflow share."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from gridlake.contracts.registry import Registry
from gridlake.ingestion.ledger import Ledger
from gridlake.workflow.context import ExecutionContext

UNCATALOGUED = "uncatalogued"
"""Dataset, status and silver folder of files that no contract describes."""

COUNTS = ("rows_in", "rows_loaded", "rows_quarantined", "quarantine")
"""Fields of reports, outputs and records that account for every row."""


def open_ledger(ctx: ExecutionContext) -> Ledger:
    """The ledger of this environment."""
    return Ledger(ctx.settings.ledger_table)


def enter(ctx: ExecutionContext) -> Ledger:
    """Begin a stage that writes: the upload must still be this execution's, and so must the lock of its source.

    Raises
    ------
    ConflictError
        Another execution has taken over (`ingestion_taken_over`, `lock_lost`): nothing may be written.
    """
    ledger = open_ledger(ctx)
    ledger.update(ctx.source.ingestion_id, ctx.execution.name, stage=ctx.stage, status="running")
    ledger.keep_lock(ctx.source.source_id, ctx.execution.name)
    return ledger


def fresh_registry(ctx: ExecutionContext) -> Registry:
    """All contracts as they are now: a file often follows its contract within a second."""
    Registry.forget()
    return Registry.load(ctx.settings.lake_bucket)


def fingerprint(registry: Registry) -> str:
    """Changes whenever a contract is added or gets a new version."""
    versions = "\n".join(f"{d['id']} {d['version']}" for d in registry.documents())
    return hashlib.sha256(versions.encode()).hexdigest()[:16]


def code_hash(ctx: ExecutionContext) -> str:
    """Hash of the code the function runs, which decides whether a file must be read again; empty if unknown."""
    return ctx.settings.layer_content_sha256 or _built_hash(os.environ.get("LAMBDA_TASK_ROOT", ""))


@cache
def _built_hash(folder: str) -> str:
    path = Path(folder) / "layer.sha256"
    return path.read_text("ascii").strip() if folder and path.is_file() else ""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on local disk that is gone afterwards, also after a failure: the next call gets the same machine."""
    with tempfile.TemporaryDirectory(prefix="gridlake-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def counts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that account for every row."""
    return {name: values[name] for name in COUNTS if name in values}


def dataset_of(key: str) -> str:
    """Dataset of a silver key: ``silver/{dataset}/…``."""
    return key.split("/")[1]
