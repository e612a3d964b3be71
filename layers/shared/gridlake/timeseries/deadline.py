"""When requests to InfluxDB must have ended, whoever makes them: somebody waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def finishing_within(seconds: float) -> Iterator[None]:
    """Bound all requests inside the block together: attempts, pauses and waiting for answers.

    A request that does not end in time raises `InfluxUnavailableError`; its code is `influx_timed_out` when no time was
    left to begin it.
    """
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def left() -> float | None:
    """Seconds until requests must have ended; None without a bound."""
    end = _end.get()
    return None if end is None else end - time.monotonic()
