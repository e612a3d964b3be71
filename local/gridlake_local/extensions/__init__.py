"""What the pinned MiniStack lacks for this application, one small module each.

Every module has ``apply()`` and says in its docstring what stock MiniStack does and which symbol is replaced. It first asserts
the shape of what it replaces, so that an upgrade fails at start with a sentence instead of a wrong answer later.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any

MINISTACK = "1.5.33"
NAMES = (
    "nested_stacks",
    "lambda_environment",
    "lambda_errors",
    "lambda_queue",
    "state_machine_errors",
    "state_machine_roles",
    "api_definition",
    "gateway_responses",
    "transport",
    "object_events",
    "object_ranges",
    "dead_letters",
    "checkpoint",
)


class IncompatibleEmulatorError(RuntimeError):
    """The installed MiniStack is not the one these extensions were written for."""


def check_version() -> None:
    """Refuse another MiniStack than the pinned one.

    Raises
    ------
    IncompatibleEmulatorError
        Names both versions and how to install the right one.
    """
    found = importlib.metadata.version("ministack")
    if found != MINISTACK:
        raise IncompatibleEmulatorError(
            f"the local AWS is MiniStack {found}, but its extensions are written for {MINISTACK}; run `make setup`, "
            "or review local/gridlake_local/extensions and change MINISTACK there"
        )


def require(owner: Any, name: str, *parameters: str) -> Callable[..., Any]:
    """Return ``owner.name`` after checking that it still takes these parameters.

    Raises
    ------
    IncompatibleEmulatorError
        The symbol is gone or its leading parameters differ.
    """
    symbol = getattr(owner, name, None)
    where = f"{getattr(owner, '__name__', owner)}.{name}"
    if not callable(symbol):
        raise IncompatibleEmulatorError(f"MiniStack has no {where} any more; an extension replaces it")
    found = tuple(inspect.signature(symbol).parameters)
    if found[: len(parameters)] != parameters:
        raise IncompatibleEmulatorError(f"{where} takes {found}, its extension expects {parameters}")
    return symbol  # type: ignore[no-any-return]


def apply_all() -> None:
    """Check the version, then apply every extension in order."""
    check_version()
    for name in NAMES:
        importlib.import_module(f"{__name__}.{name}").apply()
