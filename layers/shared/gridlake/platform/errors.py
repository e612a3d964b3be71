"""Errors with a code that the ledger, the API and the command share.

A message says what happened, to which file or row; `hint` says what to do next.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GridlakeError(Exception):
    """Base of every expected failure.

    Attributes
    ----------
    code
        Stable snake_case identifier, e.g. ``"truncated_gzip"``. Clients may switch on it.
    status
        HTTP status with which the API reports it.
    transient
        Whether the same call may succeed later without any change: only these are retried.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    transient: ClassVar[bool] = False

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.hint = hint
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """The error as the ledger, the API and the command show it."""
        body: dict[str, Any] = {"code": self.error_code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        if self.details:
            body["details"] = self.details
        return body


class PermanentError(GridlakeError):
    """The input is wrong; running it again changes nothing."""

    code = "invalid_input"
    status = 422


class UnreadableFileError(PermanentError):
    """The file can't be opened as what its content says it is (empty, truncated, encrypted, bomb …)."""

    code = "unreadable_file"


class ContractError(PermanentError):
    """A contract is invalid, unknown, or does not fit the file."""

    code = "invalid_contract"


class QualityError(PermanentError):
    """More rows break the contract's rules than it allows in one file."""

    code = "quality_threshold_exceeded"


class InvalidRequestError(PermanentError):
    """A request to the API or the command is malformed."""

    code = "invalid_request"
    status = 400


class NotFoundError(PermanentError):
    """What the request names does not exist."""

    code = "not_found"
    status = 404


class ConflictError(PermanentError):
    """The state of the resource forbids the request."""

    code = "conflict"
    status = 409


class TransientError(GridlakeError):
    """A dependency failed for now; the workflow retries it."""

    code = "temporarily_unavailable"
    status = 503
    transient = True
