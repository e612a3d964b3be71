"""`@stage`: what turns a function of the context into a Lambda handler."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any

from gridlake.platform.errors import PermanentError
from gridlake.platform.observability import logger, subsegment
from gridlake.platform.s3 import write_json
from gridlake.platform.settings import Settings
from gridlake.workflow.context import ExecutionContext, LambdaContext
from gridlake.workflow.failure import boundary, expected
from gridlake.workflow.result import StageResult

PAYLOAD_LIMIT_BYTES = 32 * 1024
"""Bytes of a payload between states; Step Functions ends an execution at 256 KiB, ours never come near."""

StageFunction = Callable[[ExecutionContext], StageResult]
StageHandler = Callable[..., dict[str, Any]]


def stage(name: str) -> Callable[[StageFunction], StageHandler]:
    """Make a workflow stage of a function.

    The stage reads its context from the payload, runs, stores its output under
    ``executions/{executionId}/{name}/output.json`` and answers the payload with its status and the output's address.
    A stage may be run again with the same input at any time: the output is replaced whole, so that functions only have
    to be idempotent in what they do elsewhere.

    Errors leave as `gridlake.workflow.failure.boundary` writes them.

    Parameters
    ----------
    name
        Name in the payload and in the path of the output.

    Examples
    --------
    >>> @stage("route")
    ... def route(ctx: ExecutionContext) -> StageResult:
    ...     return StageResult("small", {"dataset": "ons_load_daily"})
    """

    def decorate(function: StageFunction) -> StageHandler:
        @functools.wraps(function)
        def handler(
            event: dict[str, Any], context: LambdaContext | None = None, *, settings: Settings | None = None
        ) -> dict[str, Any]:
            started = time.monotonic()
            try:
                ctx = ExecutionContext(
                    event, stage=name, settings=settings or Settings.from_env(), lambda_context=context
                )
                _identify(ctx)
                with subsegment(f"stage {name}"):
                    result = function(ctx)
                write_json(ctx.output_ref(), result.output)
                payload = ctx.merged(result.status, source=result.source, error=result.error)
                _check_size(payload)
            except Exception as error:  # noqa: BLE001 - the boundary of the function: everything becomes a code
                ours = expected(error, stage=name)
                logger.error(
                    "stage failed",
                    extra={"code": ours.error_code, "transient": ours.transient, "reason": ours.message},
                    exc_info=ours is not error,
                )
                raise boundary(ours) from error.__cause__
            logger.info("stage done", extra={"status": result.status, "seconds": _seconds(started)})
            return payload

        return handler

    return decorate


def _identify(ctx: ExecutionContext) -> None:
    logger.append_keys(stage=ctx.stage, execution=ctx.execution.name)
    if ctx.payload.get("source") or ctx.payload.get("event"):
        source = ctx.source
        logger.append_keys(ingestion_id=source.ingestion_id, source_id=source.source_id)
        logger.set_correlation_id(source.ingestion_id)


def _check_size(payload: dict[str, Any]) -> None:
    size = len(json.dumps(payload, ensure_ascii=False).encode())
    if size > PAYLOAD_LIMIT_BYTES:
        raise PermanentError(
            f"the payload has {size} bytes, more than the {PAYLOAD_LIMIT_BYTES} allowed",
            code="payload_too_large",
            hint="put it into the stage's output",
        )


def _seconds(started: float) -> float:
    return round(time.monotonic() - started, 3)
