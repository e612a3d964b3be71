"""Logs, traces and metrics, wrapped once.

Logs are JSON lines with the execution and the ingestion they belong to. Neither secrets nor rows of a file are ever
given to them: functions log identifiers, counts and error codes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

Handler = Callable[[dict[str, Any], Any], Any]

SERVICE = "gridlake"
NAMESPACE = "Gridlake"

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE), use_rfc3339=True, utc=True)

# Lambda always sets the daemon's address. Without it there is nobody to send segments to, and the X-Ray library would
# complain about the missing segment on every call.
tracer = Tracer(
    service=os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE),
    disabled="AWS_XRAY_DAEMON_ADDRESS" not in os.environ,
    auto_patch="AWS_XRAY_DAEMON_ADDRESS" in os.environ,
    patch_modules=("botocore",),
)


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
    metrics = EphemeralMetrics(
        namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE),
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE),
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
    traced = tracer.capture_lambda_handler(capture_response=False, capture_error=False)(handler)
    entry = logger.inject_lambda_context(
        log_event=False, clear_state=True, correlation_id_path=correlation_id_path
    )(traced)

    @functools.wraps(handler)
    def wrapped(event: dict[str, Any], context: Any = None) -> Any:
        # `sam local` and tests may give no context; only its identifiers are then missing from the log lines.
        return entry(event, context) if hasattr(context, "aws_request_id") else handler(event, context)

    return wrapped
