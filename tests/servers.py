"""What tests that start servers share."""

from __future__ import annotations

import socket
from collections.abc import Callable

from gridlake_local.influx import InfluxInfo

InfluxDatabase = Callable[[str], InfluxInfo]
"""Makes a database with a user of its own on the InfluxDB of the session."""


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
