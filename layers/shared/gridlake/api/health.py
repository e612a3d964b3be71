"""Whether what the platform stands on answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.platform.clients import client
from gridlake.platform.errors import GridlakeError
from gridlake.platform.observability import logger

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings


def check(settings: Settings) -> dict[str, Any]:
    """Ask each dependency at the same time.

    Returns
    -------
    dict
        `status` (``ok`` or ``degraded``), `environment`, and `checks`: name, status, latency in milliseconds and,
        of a failed one, a detail without addresses or names of resources.
    """
    probes: dict[str, Callable[[], object]] = {
        "ledger": lambda: client("dynamodb").describe_table(TableName=settings.ledger_table),
        "lake": lambda: client("s3").head_bucket(Bucket=settings.lake_bucket),
        "influxdb": lambda: services.influx(settings).query("SHOW MEASUREMENTS LIMIT 1"),
    }
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        checks = list(pool.map(_probe, probes, probes.values()))
    healthy = all(entry["status"] == "ok" for entry in checks)
    return {
        "status": "ok" if healthy else "degraded",
        "environment": settings.environment,
        "checks": checks,
    }


def _probe(name: str, ask: Callable[[], object]) -> dict[str, Any]:
    started = time.perf_counter()
    detail = None
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - whatever fails is what the report is about
        logger.warning("a dependency failed", extra={"dependency": name, "reason": str(error)})
        detail = error.error_code if isinstance(error, GridlakeError) else "does not answer as expected"
    latency = round((time.perf_counter() - started) * 1000, 1)
    entry = {"name": name, "status": "failed" if detail else "ok", "latency_ms": latency}
    return entry | ({"detail": detail} if detail else {})
