"""Where the API is and which key opens it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gridlake_cli.errors import UNUSABLE, CommandError

if TYPE_CHECKING:
    from gridlake_local.platform import Platform


@dataclass(frozen=True)
class Target:
    """An API and a key for it."""

    url: str
    key: str


def state_folder() -> Path | None:
    """The folder of the local platform named by GRIDLAKE_STATE; None leaves the choice to the platform."""
    named = os.environ.get("GRIDLAKE_STATE")
    return Path(named) if named else None


def platform() -> Platform:
    """The local platform of this checkout.

    Raises
    ------
    CommandError
        The command is installed without the local platform.
    """
    try:
        from gridlake_local.platform import Platform
    except ModuleNotFoundError as error:
        raise CommandError(
            f"The local platform is not installed here ({error}).",
            hint="Run gridlake from a checkout of the repository, or give --url and --api-key of a deployed API.",
            code="no_local_platform",
            exit_code=UNUSABLE,
        ) from error
    state = state_folder()
    return Platform(state) if state else Platform()


def resolve(url: str | None, key: str | None) -> Target:
    """Complete what options and environment leave open from the local platform.

    Raises
    ------
    CommandError
        No URL and no running local platform, a foreign URL without a key, or a key that can't be one.
    """
    key = key.strip() if key else None  # a key read from a file ends with a line break
    if key and not (key.isascii() and key.isprintable()):
        raise CommandError(
            "The API key holds a character that no key has.",
            hint="Copy it again: give --api-key KEY or set GRIDLAKE_API_KEY.",
            code="wrong_api_key",
            exit_code=UNUSABLE,
        )
    if url and key:
        return Target(url.rstrip("/"), key)
    status = platform().status()
    local_url = (status.api_url or "").rstrip("/")
    if url and url.rstrip("/") != local_url:
        raise CommandError(
            f"{url} needs an API key.",
            hint="Give --api-key KEY or set GRIDLAKE_API_KEY.",
            code="no_api_key",
            exit_code=UNUSABLE,
        )
    if not status.running or not local_url:
        raise CommandError(
            "There is no API to talk to: the local platform is not running and no URL was given.",
            hint="Start it with `gridlake up`, or set GRIDLAKE_API_URL and GRIDLAKE_API_KEY.",
            code="platform_not_running",
            exit_code=UNUSABLE,
        )
    keys = status.api_keys
    return Target(local_url, key or keys.get("premium") or next(iter(keys.values()), ""))
