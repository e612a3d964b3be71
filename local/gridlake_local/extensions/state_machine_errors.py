"""Step Functions waits and retries as declared.

Stock: a throttled function arrives as ``Lambda.Unknown``, so ``Retry`` on ``Lambda.TooManyRequestsException`` never matches;
``MaxDelaySeconds`` and ``JitterStrategy`` of a retrier are ignored (delays grow to 60 s, and 50 refused executions come back at once).

Replaces ``stepfunctions._call_lambda`` and ``stepfunctions._find_matching_retrier`` (the retrier it returns carries the bounded,
jittered delay of this attempt).
"""

from __future__ import annotations

import random
from typing import Any

from gridlake_local.extensions import require


def delay(retrier: dict[str, Any], attempt: int) -> float:
    """Seconds before retry number ``attempt`` (0 is the first), after bound and jitter."""
    seconds = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** attempt
    seconds = min(seconds, float(retrier.get("MaxDelaySeconds", seconds)))
    return random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds


def apply() -> None:
    """Name throttling and honour the retrier's bounds."""
    from ministack.services import stepfunctions

    call = require(stepfunctions, "_call_lambda", "func_ref", "event")
    find = require(stepfunctions, "_find_matching_retrier", "retriers", "error", "retry_counts")

    def call_lambda(func_ref: Any, event: Any) -> Any:
        try:
            return call(func_ref, event)
        except stepfunctions._ExecutionError as error:
            if error.error == "Lambda.Unknown" and "TooManyRequestsException" in str(error.cause):
                raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", error.cause) from error
            raise

    def find_retrier(
        retriers: list[dict[str, Any]], error: str, counts: dict[int, int]
    ) -> tuple[dict[str, Any] | None, int]:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return None, index
        return {**retrier, "IntervalSeconds": delay(retrier, counts.get(index, 0)), "BackoffRate": 1.0}, index

    stepfunctions._call_lambda = call_lambda
    stepfunctions._find_matching_retrier = find_retrier
