"""Ports of the local platform: the configured one, the remembered one, or the first free one from a base."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SEARCHED = 200
PATIENCE_SECONDS = 3.0


class PortTakenError(RuntimeError):
    """A configured port belongs to another process, or none is free."""


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def becomes_free(port: int) -> bool:
    """Whether a port is free, or gets free in a moment: a killed server's threads hold it a little longer than its pid."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def claiming() -> Iterator[None]:
    """Hold this user's turn from choosing a port until something listens on it: two checkouts may start at once."""
    turn = Path(tempfile.gettempdir()) / f"gridlake-ports-{os.getuid()}.lock"
    with turn.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def choose(variable: str, base: int, *, remembered: int | None = None) -> int:
    """Pick a port for a server that is about to start.

    Parameters
    ----------
    variable
        Environment variable that fixes the port.
    base
        First candidate otherwise.
    remembered
        Port of the last run of this state folder; kept if free, so that URLs stay the same.

    Raises
    ------
    PortTakenError
        The fixed port is taken, or 200 ports from ``base`` are.
    """
    fixed = os.environ.get(variable)
    if fixed:
        if not fixed.isdigit() or not 0 < int(fixed) < 65536:
            raise PortTakenError(f"{variable}={fixed} is not a port number")
        if not becomes_free(int(fixed)):
            raise PortTakenError(
                f"port {fixed} ({variable}) is taken by another process; choose another or unset it"
            )
        return int(fixed)
    if remembered and becomes_free(remembered):
        return remembered
    for port in range(base, base + SEARCHED):
        if is_free(port):
            return port
    raise PortTakenError(f"no free port from {base} to {base + SEARCHED - 1}; set {variable}")
