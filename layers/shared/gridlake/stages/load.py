"""Stage `load`: make InfluxDB hold what silver holds, also where rows vanished or other sources take precedence."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from gridlake.contracts.model import Contract, Kind
from gridlake.contracts.odcs import parse
from gridlake.ingestion.ledger import Ledger
from gridlake.ingestion.ledger_sources import Turn
from gridlake.platform.errors import PermanentError
from gridlake.platform.s3 import ObjectRef, head
from gridlake.stages.common import dataset_of, enter, fresh_registry
from gridlake.stages.lake import partitions_of
from gridlake.stages.refused import move_refused
from gridlake.timeseries.checkpoint import S3Checkpoint
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.loader import RefusedPoint, load_partitions
from gridlake.timeseries.partitions import PartitionRef
from gridlake.timeseries.replacement import meet, reconcile_source
from gridlake.workflow import ExecutionContext, StageResult, stage

Entries = list[dict[str, Any]]

UNKNOWN_TURN = (0, True)
"""What an output of `process` from before turns were counted is taken to say: somebody may have had one."""
TURN_SECONDS = 5.0
"""How long a run waits while another source of the dataset is replaced; then the state machine runs it again."""


@stage("load")
def load(ctx: ExecutionContext) -> StageResult:
    """Write the points, take refused rows out of silver, then apply what the revision removed.

    Each part keeps its progress in the work bucket, so that a run after a timeout or a crash goes on where the last
    one was. Nothing depends on a part having run only once.

    Status
    ------
    continue
        The time of the function is nearly over: run the stage again.
    done
        InfluxDB holds what the lake says.

    Raises
    ------
    TransientError
        InfluxDB does not answer; the state machine runs the stage again.
    PermanentError
        InfluxDB refuses every row (`all_rows_quarantined`), the credentials, or too many series.
    ConflictError
        Another execution has taken over.
    """
    started = time.monotonic()
    ledger = enter(ctx)
    processed = ctx.output_of("process")
    state = ctx.output_of("load") if "load" in ctx.stages else {}
    before = float(state.get("seconds", 0.0))
    output: dict[str, Any] = {
        "points_written": 0,
        "points_rewritten": 0,
        "notices": [],
        "settled": [],
        **state,
    }

    def ended(status: str) -> StageResult:
        return StageResult(status, {**output, "seconds": round(before + time.monotonic() - started, 3)})

    handler = InfluxDBHandler.from_settings(ctx.settings)
    try:
        if "silver" not in state:
            if not _write(ctx, handler, processed, output):
                return ended("continue")
            ledger.set_pending(
                ctx.source.source_id, [*ledger.pending(ctx.source.source_id), *_new(output, processed)]
            )
        return ended("done" if _reconcile(ctx, ledger, handler, processed, output) else "continue")
    finally:
        handler.close()


def _write(
    ctx: ExecutionContext, handler: InfluxDBHandler, processed: dict[str, Any], output: dict[str, Any]
) -> bool:
    """Write the partitions and settle the refused rows; False when the time ran out."""
    contract = parse(processed["document"]) if processed["document"] else None
    if contract is None or contract.kind is not Kind.SERIES:
        output["silver"], output["report"] = processed["silver"], {}
        return True
    loaded = load_partitions(
        _refs(ctx, processed["silver"]), contract, handler, _checkpoint(ctx, "checkpoint"), _seconds_left(ctx)
    )
    output["points_written"] = loaded.points_written
    if loaded.done:
        output["silver"], output["report"] = move_refused(ctx, processed, loaded.refused)
    return loaded.done


def _reconcile(
    ctx: ExecutionContext,
    ledger: Ledger,
    handler: InfluxDBHandler,
    processed: dict[str, Any],
    output: dict[str, Any],
) -> bool:
    """Remove what the source no longer has, and let other sources' rows count again; False when the time ran out.

    A source may have belonged to another dataset before its contract changed: then all its points leave that one.
    """
    older: dict[str, Entries] = defaultdict(list)
    for entry in _readable(ctx, processed["previous"], output):
        older[dataset_of(entry["key"])].append(entry)
    mine = processed["report"]["dataset"]
    for dataset in sorted({*older, mine}):
        contract = _series(ctx, processed, dataset)
        if contract is None or dataset in output["settled"]:
            continue
        current = _refs(ctx, output["silver"]) if dataset == mine else []
        written = Turn(*processed.get("turn", UNKNOWN_TURN)) if dataset == mine else None
        replacement = _Replacement(
            ctx, ledger, handler, contract, _refs(ctx, older.get(dataset, [])), current
        )
        if not replacement.needed(written):
            continue
        if not replacement.run(written, output):
            return False
    return True


class _Replacement:
    """What a source's revision does to the points of one dataset, one source at a time.

    Sources are written side by side: they may overwrite each other, and each brings the keys they share into order
    afterwards. To delete and rewrite is different, for it acts on what was read from the lake a moment before. So it is
    done in turns; and a source during whose writing another had its turn writes its points once more in its own.
    """

    def __init__(
        self,
        ctx: ExecutionContext,
        ledger: Ledger,
        handler: InfluxDBHandler,
        contract: Contract,
        previous: list[PartitionRef],
        current: list[PartitionRef],
    ) -> None:
        self._ctx, self._ledger, self._handler, self._contract = ctx, ledger, handler, contract
        self._previous, self._current = previous, current

    def needed(self, written: Turn | None) -> bool:
        """False where nothing vanished, no other source has the same times, and nobody had a turn since `written`."""
        if self._previous or written is None:
            return True
        return meet(self._current, self._others()) or _disturbed(
            written, self._ledger.turn(self._contract.dataset)
        )

    def run(self, written: Turn | None, output: dict[str, Any]) -> bool:
        """Wait for the turn and bring the points into order; False when the time ran out: run it again."""
        dataset, owner = self._contract.dataset, self._ctx.execution.name
        turn = self._wait()
        if turn is None:
            return False
        if written is not None and _disturbed(written, Turn(turn.number - 1, taken=False)):
            again = load_partitions(
                self._current,
                self._contract,
                self._handler,
                _checkpoint(self._ctx, f"again-{turn.number}"),
                _seconds_left(self._ctx),
            )
            if not again.done:
                return False
        report = reconcile_source(
            self._contract,
            self._handler,
            _checkpoint(self._ctx, f"reconcile-{dataset}-{turn.number}"),
            _seconds_left(self._ctx),
            previous=self._previous,
            current=self._current,
            others=self._others(),
        )
        if not report.done:
            return False
        output["points_rewritten"] += report.points_rewritten
        output["settled"] = [*output["settled"], dataset]
        output["notices"] = [*output["notices"], *_refusals(report.refused)]
        self._ledger.end_turn(dataset, owner)
        return True

    def _wait(self) -> Turn | None:
        deadline = time.monotonic() + TURN_SECONDS
        while True:
            turn = self._ledger.take_turn(self._contract.dataset, self._ctx.execution.name)
            if turn is not None or time.monotonic() > deadline:
                return turn
            time.sleep(random.uniform(0.1, 0.3))

    def _others(self) -> list[PartitionRef]:
        months = {ref.month for ref in (*self._previous, *self._current)}
        return [
            ref
            for ref in partitions_of(self._ctx.settings.lake_bucket, self._contract.dataset)
            if ref.month in months and not ref.uri.endswith(f"/{self._ctx.source.source_id}.parquet")
        ]


def _disturbed(before: Turn, now: Turn) -> bool:
    return before.taken or now.taken or before.number != now.number


def _refusals(refused: Sequence[RefusedPoint]) -> list[str]:
    return [
        f"InfluxDB refuses {len(refused)} rows of other sources that should count again; the first is line "
        f"{first.source_row} of {first.partition}: {first.reason}"
        for first in refused[:1]
    ]


def _series(ctx: ExecutionContext, processed: dict[str, Any], dataset: str) -> Contract | None:
    if dataset == processed["report"]["dataset"] and processed["document"]:
        contract = parse(processed["document"])
    else:
        registry = fresh_registry(ctx)
        if dataset not in registry:
            return None
        contract = registry.get(dataset)
    return contract if contract.kind is Kind.SERIES else None


def _readable(ctx: ExecutionContext, previous: Entries, output: dict[str, Any]) -> Entries:
    """Older silver objects whose version is still kept; says so where one is not."""
    found = []
    for entry in previous:
        try:
            head(ObjectRef(ctx.settings.lake_bucket, **entry))
        except PermanentError as error:
            if error.error_code not in ("object_missing", "object_version_missing"):
                raise
            notice = (
                f"{entry['key']}: its former version is gone, rows that vanished since may remain in InfluxDB"
            )
            if notice not in output["notices"]:
                output["notices"] = [*output["notices"], notice]
        else:
            found.append(entry)
    return found


def _new(output: dict[str, Any], processed: dict[str, Any]) -> Entries:
    return [entry for entry in output["silver"] if entry not in processed["silver"]]


def _refs(ctx: ExecutionContext, entries: Entries) -> list[PartitionRef]:
    lake = ctx.settings.lake_bucket
    return [PartitionRef(f"s3://{lake}/{entry['key']}", entry.get("version_id")) for entry in entries]


def _checkpoint(ctx: ExecutionContext, name: str) -> S3Checkpoint:
    return S3Checkpoint(f"s3://{ctx.settings.work_bucket}/executions/{ctx.execution.name}/load/{name}.json")


def _seconds_left(ctx: ExecutionContext) -> Callable[[], float]:
    return lambda: ctx.remaining_ms() / 1000
