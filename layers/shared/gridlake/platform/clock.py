"""Instants as the ledger and the stage outputs print them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This instant, aware, in UTC."""
    return datetime.now(UTC)


def timestamp(instant: datetime | None = None) -> str:
    """An instant (now by default) as ``2026-11-20T13:16:04.123Z``: fixed width, so text order is time order."""
    instant = (instant or now()).astimezone(UTC)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def parse(text: str) -> datetime:
    """The instant of an ISO 8601 text; a naive one is UTC."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
