"""What an administrator asks of a server of version 1: does it answer, which version is it, make a database with its user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from gridlake_local.influx_source import InfluxStartError


@contextmanager
def client() -> Iterator[urllib3.PoolManager]:
    """A short-lived client without retries."""
    with urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=20), retries=False) as http:
        yield http


def statement(http: urllib3.PoolManager, url: str, user: tuple[str, str] | None, text: str) -> str | None:
    """Run a statement; the server's error text, or None."""
    headers = urllib3.make_headers(basic_auth=":".join(user)) if user else None
    answer = http.request("POST", f"{url}/query", fields={"q": text}, encode_multipart=False, headers=headers)
    document = answer.json()
    if "error" in document:
        return str(document["error"])
    return next((str(r["error"]) for r in document.get("results", ()) if "error" in r), None)


def prepare(
    http: urllib3.PoolManager, url: str, admin: tuple[str, str] | None, database: str, password: str
) -> None:
    """Create the database and its user; both are named alike. Repeating it changes nothing but the password."""
    for text, needed in (
        (f"CREATE DATABASE {database}", True),
        # Years of hourly data: shards of a week, the default, would cost more than the points in them.
        (f"ALTER RETENTION POLICY autogen ON {database} SHARD DURATION 52w", True),
        (f"CREATE USER {database} WITH PASSWORD '{password}'", False),
        (f"SET PASSWORD FOR {database} = '{password}'", True),
        (f"GRANT ALL ON {database} TO {database}", True),
    ):
        error = statement(http, url, admin, text)
        if error and needed:
            raise InfluxStartError(f"InfluxDB at {url} refused to prepare database {database}: {error}")


def ping(url: str) -> str | None:
    """Version of the server; None where none answers."""
    try:
        with client() as http:
            answer = http.request("GET", f"{url}/ping")
    except (urllib3.exceptions.HTTPError, OSError):
        return None
    return answer.headers.get("X-Influxdb-Version", "unknown") if answer.status in (200, 204) else None


def answers(url: str) -> bool:
    """Whether a server answers."""
    return ping(url) is not None
