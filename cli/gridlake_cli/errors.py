"""How the command ends when something is wrong: a message, a hint, an exit code; never a traceback."""

from __future__ import annotations

from typing import Any

FAILED = 1
"""What was asked for was tried and failed: a file failed, a verification found a difference."""
UNUSABLE = 2
"""The command was used wrongly, or the platform can't be reached."""


class CommandError(Exception):
    """An expected failure, shown as one message.

    Attributes
    ----------
    exit_code
        1 when the operation failed, 2 for wrong usage or an unreachable platform.
    code
        Stable identifier, the same as in the API's problem where there is one.
    hint
        What to do next.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, code: str = "failed", exit_code: int = FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.exit_code = exit_code

    def as_dict(self) -> dict[str, Any]:
        """The error as reports carry it."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        return body


class ApiError(CommandError):
    """The API answered with an error."""

    def __init__(self, status: int, message: str, *, code: str, hint: str | None, exit_code: int) -> None:
        super().__init__(message, hint=hint, code=code, exit_code=exit_code)
        self.status = status
