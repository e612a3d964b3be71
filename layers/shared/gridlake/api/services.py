"""What the API functions stand on, made once per process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gridlake.contracts.registry import Registry
from gridlake.platform.clients import client
from gridlake.timeseries.handler import InfluxDBHandler

if TYPE_CHECKING:
    from gridlake.contracts.model import Contract
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


def registry(settings: Settings, *, fresh: bool = False) -> Registry:
    """Contracts built in and registered at run time; `fresh` ones as they are now, at the cost of one read of the lake."""
    if fresh:
        Registry.forget()
    return Registry.load(settings.lake_bucket)


def contract(settings: Settings, dataset: str) -> Contract:
    """The contract of a dataset; one registered a moment ago, through another process, is found too.

    Raises
    ------
    NotFoundError
        Nobody registered one; the hint names the closest datasets.
    """
    known = registry(settings)
    return (known if dataset in known else registry(settings, fresh=True)).get(dataset)


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
