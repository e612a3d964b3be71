"""What the API functions stand on, made once per process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gridlake.contracts.registry import Registry
from gridlake.platform.clients import client
from gridlake.timeseries.handler import InfluxDBHandler

if TYPE_CHECKING:
    from gridlake.ingestion.ledger import Ledger
    from gridlake.platform.settings import Settings

QUERY_SECONDS = 20.0
"""What one attempt at InfluxDB may take: below the 29 seconds after which API Gateway hangs up."""

_lock = threading.Lock()
_handlers: dict[tuple[str, ...], InfluxDBHandler] = {}


def ledger(settings: Settings) -> Ledger:
    """The ledger of this environment."""
    from gridlake.ingestion.ledger import Ledger

    return Ledger(settings.ledger_table, client("dynamodb"))


def registry(settings: Settings) -> Registry:
    """Contracts built in and registered at run time."""
    return Registry.load(settings.lake_bucket)


def influx(settings: Settings) -> InfluxDBHandler:
    """The connection to InfluxDB, kept across invocations. Its retries leave time to answer before the gateway."""
    key = (
        settings.influx_url,
        str(settings.influx_version),
        settings.influx_database,
        settings.influx_secret_arn,
    )
    with _lock:
        handler = _handlers.get(key)
        if handler is None:
            handler = _handlers[key] = InfluxDBHandler.from_settings(
                settings, budget=3.0, read_timeout=QUERY_SECONDS
            )
        return handler
