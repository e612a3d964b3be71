"""Logs, traces and metrics, wrapped once.

Logs are JSON lines with the execution and the ingestion they belong to. Neither secrets nor rows of a file are ever
given to them: functions log identifiers, counts and error codes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Any

from aws_lambda_powertools import Logger

Handler = Callable[[dict[str, Any], Any], Any]

SERVICE = "gridlake"
NAMESPACE = "Gridlake"


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE)


logger = Logger(service=_service(), use_rfc3339=True, utc=True)


@functools.cache
def tracer() -> Any:
    """The tracer; None where there is no daemon to send segments to.

    Lambda always sets the daemon's address. Elsewhere the X-Ray library would complain on every call that there is no
    segment, and only importing it costs more than an API function may take to start: it is made at the first call.
    """
    if "AWS_XRAY_DAEMON_ADDRESS" not in os.environ:
        return None
    from aws_lambda_powertools import Tracer

    return Tracer(service=_service(), auto_patch=True, patch_modules=("botocore",))


def subsegment(name: str) -> AbstractContextManager[Any]:
    """A part of the trace; nothing where there is no tracer."""
    active = tracer()
    return nullcontext() if active is None else active.provider.in_subsegment(name)


class Metric(StrEnum):
    """Business metrics, by environment and by environment and dataset."""

    ROWS_LOADED = "RowsLoaded"
    ROWS_QUARANTINED = "RowsQuarantined"
    POINTS_WRITTEN = "PointsWritten"
    INGESTION_SECONDS = "IngestionSeconds"
    FAILURES = "Failures"


def emit(dataset: str, values: Mapping[Metric, float]) -> None:
    """Print one embedded-metric-format record.

    Parameters
    ----------
    dataset
        Value of the dimension ``dataset``; ``uncatalogued`` or ``unknown`` where there is no contract. Every value is
        also counted without it, because an alarm can't sum over a dimension.
    values
        Value by metric.
    """
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(
        namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE), service=_service()
    )
    environment = os.environ.get("GRIDLAKE_ENV") or "local"
    metrics.add_dimensions(environment=environment)
    metrics.add_dimensions(environment=environment, dataset=dataset or "unknown")
    for metric, value in values.items():
        unit = MetricUnit.Seconds if metric is Metric.INGESTION_SECONDS else MetricUnit.Count
        metrics.add_metric(name=metric.value, unit=unit, value=float(value))
    metrics.flush_metrics()


def lambda_entry(handler: Handler | None = None, *, correlation_id_path: str | None = None) -> Any:
    """Decorate a Lambda handler: request identifiers in every log line, a trace segment, no state left between calls.

    Neither the event nor the answer is logged or traced: both may hold what a file holds.

    Parameters
    ----------
    correlation_id_path
        JMESPath of the correlation id in the event, e.g. ``requestContext.requestId``.
    """
    if handler is None:
        return functools.partial(lambda_entry, correlation_id_path=correlation_id_path)
    entry: Handler | None = None

    @functools.wraps(handler)
    def wrapped(event: dict[str, Any], context: Any = None) -> Any:
        nonlocal entry
        if not hasattr(context, "aws_request_id"):
            # `sam local` and tests may give no context; only its identifiers are then missing from the log lines.
            return handler(event, context)
        if entry is None:
            active = tracer()
            capture = (
                active.capture_lambda_handler(capture_response=False, capture_error=False) if active else None
            )
            entry = logger.inject_lambda_context(
                log_event=False, clear_state=True, correlation_id_path=correlation_id_path
            )(capture(handler) if capture else handler)
        return entry(event, context)

    return wrapped
