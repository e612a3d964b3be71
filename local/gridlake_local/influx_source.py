"""Where an `influxd` comes from when none is installed: a container, or the Debian package unpacked without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

IMAGE = "influxdb:1.8"
DEBIAN_PACKAGE = "influxdb"
START_SECONDS = 60.0


class InfluxStartError(RuntimeError):
    """No InfluxDB could be found or started; the message says what was tried."""


def unpack_package(folder: Path) -> Path:
    """`influxd` of the Debian package, fetched and unpacked into a folder without root.

    Raises
    ------
    InfluxStartError
        This is no Debian, or its package could not be fetched.
    """
    binary = folder / "usr" / "bin" / "influxd"
    if binary.exists():
        return binary
    tried = "no INFLUXDB_URL, no influxd on PATH, no container, and "
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise InfluxStartError(tried + "no apt-get and dpkg to unpack the Debian package with")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Unpacked aside and moved: an interrupted run leaves no half of a package behind, two runs do not meet.
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as scratch:
        fetched = subprocess.run(
            ["apt-get", "download", DEBIAN_PACKAGE], cwd=scratch, check=False, capture_output=True, text=True
        )
        packages = sorted(Path(scratch).glob(f"{DEBIAN_PACKAGE}_*.deb"))
        if fetched.returncode != 0 or not packages:
            raise InfluxStartError(
                f"{tried}apt-get could not download {DEBIAN_PACKAGE}: {fetched.stderr.strip()}; "
                "run apt-get update, install influxdb 1.x, or set INFLUXDB_URL"
            )
        unpacked = Path(scratch) / "unpacked"
        subprocess.run(["dpkg", "-x", str(packages[-1]), str(unpacked)], check=True, capture_output=True)
        with suppress(OSError):  # another process was faster
            unpacked.rename(folder)
    return binary


def docker_works() -> bool:
    """Whether this user can start containers."""
    if not shutil.which("docker"):
        return False
    try:
        done = subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def start_container(port: int, data: Path, admin_password: str, answers: Callable[[], bool]) -> str | None:
    """Name of a started container of version 1 that answers, or None where its image can't be had."""
    name = f"gridlake-influx-{port}"
    subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
    data.mkdir(parents=True, exist_ok=True)
    started = subprocess.run(
        [
            *("docker", "run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:8086"),
            *("-v", f"{data}:/var/lib/influxdb", "-e", "INFLUXDB_HTTP_AUTH_ENABLED=true"),
            *("-e", "INFLUXDB_REPORTING_DISABLED=true", "-e", "INFLUXDB_ADMIN_USER=admin"),
            *("-e", "INFLUXDB_ADMIN_PASSWORD", IMAGE),
        ],
        env={**os.environ, "INFLUXDB_ADMIN_PASSWORD": admin_password},
        check=False,
        capture_output=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while started.returncode == 0 and time.monotonic() < deadline:
        if answers():
            return name
        time.sleep(0.2)
    subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
    return None
