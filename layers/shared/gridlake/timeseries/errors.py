"""What can go wrong between Gridlake and InfluxDB, by what the caller should do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridlake.platform.errors import PermanentError, TransientError


class LineProtocolError(PermanentError):
    """A name or a value can't be written as line protocol without changing its meaning.

    Attributes
    ----------
    row
        Position of the first such row in the table that was being serialised; None when a name is at fault.
    """

    code = "unrepresentable_in_line_protocol"

    def __init__(self, message: str, *, row: int | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.row = row


class InfluxUnavailableError(TransientError):
    """The server does not answer, or answers that it can't work for now.

    Attributes
    ----------
    retry_after
        Seconds the server asked to wait, where it did.
    """

    code = "influx_unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class InfluxRefusedError(PermanentError):
    """The server understood the request and refuses it; sending it again changes nothing.

    Attributes
    ----------
    http_status
        Status of the answer; 200 when a statement failed inside an accepted query.
    reason
        The server's own words, shortened.
    lines
        Lines of the payload that the server named as bad.
    dropped
        How many points the server says it dropped while writing the others; None when it does not say.
    """

    code = "influx_refused"

    def __init__(
        self,
        message: str,
        *,
        http_status: int,
        reason: str,
        lines: Sequence[str] = (),
        dropped: int | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.http_status = http_status
        self.reason = reason
        self.lines = tuple(lines)
        self.dropped = dropped


class InfluxCredentialsError(PermanentError):
    """The server does not accept the credentials, or they lack a permission."""

    code = "influx_credentials_refused"
    status = 502


class InfluxUnsupportedError(PermanentError):
    """This version of the server has no way to do what is asked."""

    code = "influx_unsupported"
    status = 501


class SeriesLimitError(PermanentError):
    """A load would hold more distinct tag sets than the dataset's contract allows."""

    code = "series_limit_exceeded"
