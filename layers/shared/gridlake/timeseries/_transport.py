"""HTTP to InfluxDB: kept connections, bounded retries, typed errors. Shared by the three server versions."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import random
import re
import time
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.util.retry import Retry

from gridlake.timeseries import deadline
from gridlake.timeseries.credentials import Credentials, CredentialsSource
from gridlake.timeseries.errors import InfluxCredentialsError, InfluxRefusedError, InfluxUnavailableError

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
GZIP_FROM_BYTES = 1024
_CONNECT_SECONDS = 3.05
_REASON_CHARACTERS = 600
_BAD_LINE = re.compile(r"unable to parse '(.*?)': ", re.DOTALL)
_DROPPED = re.compile(r"dropped=(\d+)")
_PASSING_TROUBLE = re.compile(
    r"timeout|interrupted|engine is closed|max-concurrent-queries|cache-max-memory-size", re.IGNORECASE
)


class BoundedRetry(Retry):
    """urllib3's Retry with full jitter and a bound on the total time, counted from the first failure.

    urllib3 honours Retry-After and grows the pause, but adds its jitter to the full pause and knows no total time.
    """

    def __init__(
        self, *args: Any, budget: float = 30.0, deadline: float | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.budget = budget
        self.deadline = deadline

    def new(self, **changes: Any) -> BoundedRetry:
        """The same policy with changed counters; the deadline stays."""
        return super().new(**{"budget": self.budget, "deadline": self.deadline, **changes})

    def increment(self, *args: Any, **failure: Any) -> BoundedRetry:
        """Count a failure; give up when the pause before the next attempt would pass the deadline."""
        deadline = time.monotonic() + self.budget if self.deadline is None else self.deadline
        response = failure.get("response")
        pause = (self.get_retry_after(response) or 0.0) if response is not None else 0.0
        counted = super().increment(*args, **failure)
        counted.deadline = deadline
        if time.monotonic() + pause >= deadline:
            return super().new(total=0, budget=self.budget, deadline=deadline).increment(*args, **failure)
        return counted

    def get_backoff_time(self) -> float:
        """A pause between nothing and the exponential one, never past the deadline."""
        pause = random.uniform(0.0, super().get_backoff_time())
        return pause if self.deadline is None else max(0.0, min(pause, self.deadline - time.monotonic()))


def retry_policy(budget: float) -> BoundedRetry:
    """Retries of every verb, for every request here is idempotent: a point written twice is one point."""
    return BoundedRetry(
        total=12,
        allowed_methods=None,
        status_forcelist=RETRIED_STATUSES,
        backoff_factor=0.2,
        backoff_max=8.0,
        raise_on_status=False,
        redirect=False,
        budget=budget,
    )


def is_loopback(url: str) -> bool:
    """Whether the server is on this machine, where compressing costs more than it saves."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def raise_for_answer(status: int, body: bytes | str, headers: Mapping[str, str], *, doing: str) -> NoReturn:
    """Turn an answer that is not a success into the error that says what to do about it."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    named, dropped = _named_lines(text)
    reason = _reason(text) or f"HTTP {status}"
    if status in RETRIED_STATUSES or status == 408:
        wait = headers.get("Retry-After", "")
        raise InfluxUnavailableError(
            f"InfluxDB can't work for now while {doing}: HTTP {status}: {reason}",
            retry_after=float(wait) if wait.isdigit() else None,
            hint="the workflow tries again by itself; if it lasts, look at the server's health",
        )
    if status in (401, 403):
        raise InfluxCredentialsError(
            f"InfluxDB refused the credentials while {doing}: HTTP {status}: {reason}",
            hint="check the InfluxDB secret and the grants of its user or token",
        )
    raise InfluxRefusedError(
        f"InfluxDB refused while {doing}: HTTP {status}: {reason}",
        http_status=status,
        reason=reason,
        lines=named,
        dropped=dropped,
    )


def raise_for_statement(reason: str, *, doing: str) -> NoReturn:
    """Turn an error inside an accepted query into a typed error."""
    if _PASSING_TROUBLE.search(reason):
        raise InfluxUnavailableError(f"InfluxDB could not finish while {doing}: {reason}")
    raise InfluxRefusedError(
        f"InfluxDB refused while {doing}: {reason}", http_status=200, reason=reason[:_REASON_CHARACTERS]
    )


def _reason(text: str) -> str:
    """The server's words out of its JSON (1: error; 2: message; 3: error and data), or its plain text."""
    try:
        document = json.loads(text)
    except ValueError:
        return text.strip()[:_REASON_CHARACTERS]
    if not isinstance(document, dict):
        return text.strip()[:_REASON_CHARACTERS]
    words = str(document.get("error") or document.get("message") or text)
    if isinstance(document.get("data"), list):
        words += ": " + "; ".join(str(d.get("error_message", d)) for d in document["data"][:5])
    return words[:_REASON_CHARACTERS]


def _named_lines(text: str) -> tuple[tuple[str, ...], int | None]:
    try:
        document = json.loads(text)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        return (), None
    words = str(document.get("error") or document.get("message") or text)
    named = list(_BAD_LINE.findall(words))
    if isinstance(document.get("data"), list):
        named += [
            d["original_line"] for d in document["data"] if isinstance(d, dict) and "original_line" in d
        ]
    dropped = _DROPPED.search(words)
    return tuple(named), int(dropped[1]) if dropped else None


class Transport:
    """One server: its address, its credentials and the connections kept to it.

    Parameters
    ----------
    url
        Address of the server; the secret's own `url` takes its place.
    credentials
        Where the credentials come from; read again once when the server refuses them.
    scheme
        HTTP authorisation scheme: ``Basic`` (version 1), ``Token`` (2), ``Bearer`` (3).
    budget
        Seconds spent on retries of one request, counted from its first failure.
    read_timeout
        Seconds to wait for an answer in one attempt.
    """

    def __init__(
        self,
        *,
        url: str,
        credentials: CredentialsSource,
        scheme: str,
        budget: float = 30.0,
        read_timeout: float = 30.0,
    ) -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._scheme = scheme
        self.retries = retry_policy(budget)
        self._read_timeout = read_timeout
        self.timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout)
        self._pool = urllib3.PoolManager(maxsize=4, block=False)

    @property
    def url(self) -> str:
        """Address in use."""
        return (self._credentials.get().url or self._url).rstrip("/")

    def credentials(self, *, refresh: bool = False) -> Credentials:
        """The credentials in use, or a new reading of them."""
        return self._credentials.get(refresh=refresh)

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | memoryview | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return its successful answer.

        Parameters
        ----------
        doing
            What the request is for, in words for the error message.

        Raises
        ------
        InfluxUnavailableError
            No answer, or 408, 429, 5xx, after the retries.
        InfluxCredentialsError
            401 with freshly read credentials too, or 403.
        InfluxRefusedError
            Any other status that is not a success.
        """
        sent = {"User-Agent": "gridlake", **(headers or {})}
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None and len(body) >= GZIP_FROM_BYTES and not is_loopback(self.url):
            body = gzip.compress(body, compresslevel=1)
            sent["Content-Encoding"] = "gzip"
        for refresh in (False, True):
            credentials = self._credentials.get(refresh=refresh)
            url = (credentials.url or self._url).rstrip("/") + path
            retries, timeout = self._bounds(doing)
            try:
                answer = self._pool.urlopen(
                    method,
                    url + (f"?{urlencode(query)}" if query else ""),
                    body=body,
                    headers=sent | self._authorization(credentials),
                    retries=retries,
                    timeout=timeout,
                    redirect=False,
                )
            except urllib3.exceptions.HTTPError as error:
                raise InfluxUnavailableError(
                    f"InfluxDB does not answer at {self._shown(url)} while {doing}: {_cause(error)}",
                    hint="check that the server runs and that its address and security group let this function reach it",
                ) from error
            if answer.status != 401 or refresh:
                break
            answer.drain_conn()
        if not 200 <= answer.status < 300:
            raise_for_answer(answer.status, answer.data, answer.headers, doing=doing)
        return answer

    def _bounds(self, doing: str) -> tuple[BoundedRetry, urllib3.Timeout]:
        """Retries and time-outs of one request, which together stay within `deadline.finishing_within`.

        An attempt may begin in the first eighth of the time only; what then remains is enough for it to connect and to
        wait. A slow answer is thus not asked for twice.
        """
        left = deadline.left()
        if left is None:
            return self.retries, self.timeout
        if left <= 0:
            raise InfluxUnavailableError(
                f"no time is left for InfluxDB while {doing}", code="influx_timed_out", hint="ask for less"
            )
        again, connect = min(self.retries.budget, left / 8), min(_CONNECT_SECONDS, left / 8)
        read = min(self._read_timeout, left - again - connect)
        retries = self.retries.new(deadline=time.monotonic() + again)
        return retries, urllib3.Timeout(connect=connect, read=read)

    def _authorization(self, credentials: Credentials) -> dict[str, str]:
        if self._scheme != "Basic":
            return {"Authorization": f"{self._scheme} {credentials.token or credentials.password}"}
        if credentials.username is None:
            return {}
        pair = f"{credentials.username}:{credentials.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    @staticmethod
    def _shown(url: str) -> str:
        """The address without path, query or user information."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _cause(error: BaseException) -> str:
    """The innermost reason of urllib3's nested errors."""
    reason = getattr(error, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) else (str(error) or type(error).__name__)
