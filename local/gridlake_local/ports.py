"""Ports of the local platform: the configured one, the remembered one, or the first free one from a base."""

from __future__ import annotations

import os
import socket

SEARCHED = 200


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
        if not is_free(int(fixed)):
            raise PortTakenError(
                f"port {fixed} ({variable}) is taken by another process; choose another or unset it"
            )
        return int(fixed)
    candidates: list[int] = [*([remembered] if remembered else []), *range(base, base + SEARCHED)]
    for port in candidates:
        if is_free(port):
            return port
    raise PortTakenError(f"no free port from {base} to {base + SEARCHED - 1}; set {variable}")
