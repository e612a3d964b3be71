"""A real InfluxDB on this machine: the one at INFLUXDB_URL, else `influxd`, else a container, else the Debian package.

Everything a started server owns stays under one state folder. Authorisation is on: an administrator creates the database
and one user of the application that may read and write that database only.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gridlake_local.influx_admin import answers, client, ping, prepare, statement
from gridlake_local.influx_source import (
    START_SECONDS,
    InfluxStartError,
    docker_works,
    start_container,
    unpack_package,
)

__all__ = ["InfluxInfo", "InfluxServer", "InfluxStartError", "unpack_package"]

STOP_SECONDS = 20.0
_RECORD = "influx.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class InfluxInfo:
    """A running server and how the application enters it.

    Attributes
    ----------
    pid
        Process that we started; None for a server of INFLUXDB_URL or in a container.
    origin
        ``url``, ``binary``, ``container`` or ``package``.
    """

    url: str
    version: str
    username: str
    password: str = field(repr=False)
    database: str
    pid: int | None
    origin: str
    admin_password: str = field(default="", repr=False)
    container: str | None = None


class InfluxServer:
    """Finds or starts a server; a second `start` is a no-op, also from another process.

    Parameters
    ----------
    state
        Folder for data, configuration by environment, log and record. Created where missing.
    port
        HTTP port on 127.0.0.1.
    rpc_port
        Port of the backup interface of `influxd`; None takes a free one.
    database
        Database to create.
    """

    def __init__(
        self, state: Path, port: int, rpc_port: int | None = None, *, database: str = "gridlake"
    ) -> None:
        if not _NAME.fullmatch(database):
            raise ValueError(f"database name {database!r} is not a plain word")
        self.state = Path(state).resolve()
        self.port = port
        self.rpc_port = rpc_port
        self.database = database

    def start(self) -> InfluxInfo:
        """Find or start the server, wait until it answers, create the database and its user.

        Raises
        ------
        InfluxStartError
            There is no server at INFLUXDB_URL, or none could be started.
        """
        running = self.status()
        if running is not None:
            return running
        external = os.environ.get("INFLUXDB_URL")
        if external:
            info = self._external(external)
        else:
            self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            info = self._started()
        self._write_record(info)
        return info

    def status(self) -> InfluxInfo | None:
        """The running server of this state folder, or None."""
        record = self._read_record()
        if record is None:
            return None
        info = InfluxInfo(**record)
        if info.pid is not None and not _is_influxd(info.pid):
            return None
        return info if answers(info.url) else None

    def stop(self) -> None:
        """Stop the server if it is ours. Its data and credentials stay for the next start."""
        record = self._read_record()
        if record is None:
            return
        info = InfluxInfo(**record)
        if info.container:
            subprocess.run(["docker", "stop", info.container], check=False, capture_output=True)
        if info.pid is not None and _is_influxd(info.pid):
            _stop_process(info.pid)

    def _started(self) -> InfluxInfo:
        password, admin_password = self._passwords()
        binary = shutil.which("influxd")
        origin = "binary"
        if binary is None and docker_works():
            container = start_container(
                self.port, self.state / "influx-container", admin_password, lambda: answers(self._url)
            )
            if container is not None:
                return self._prepared("container", None, password, admin_password, container)
        if binary is None:
            binary, origin = str(unpack_package(self.state / "influxdb-package")), "package"
        pid = self._start_process(binary)
        try:
            return self._prepared(origin, pid, password, admin_password)
        except BaseException:
            _stop_process(pid)
            raise

    def _passwords(self) -> tuple[str, str]:
        """Those of the data folder, when it was made by an earlier start; new ones otherwise."""
        record = self._read_record()
        if record and record.get("admin_password"):
            return record["password"], record["admin_password"]
        return secrets.token_urlsafe(24), secrets.token_urlsafe(24)

    def _start_process(self, binary: str) -> int:
        _require_free(self.port)
        data = self.state / "influx"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.state / "influxd.log").open("ab") as log:
            process = subprocess.Popen(
                [binary, "run", "-config", os.devnull],
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(data), **self._settings(data)},
                cwd=data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers(self._url):
            if process.poll() is not None or time.monotonic() > deadline:
                _stop_process(process.pid)
                raise InfluxStartError(f"influxd did not start; see {self.state / 'influxd.log'}")
            time.sleep(0.05)
        return process.pid

    def _settings(self, data: Path) -> dict[str, str]:
        rpc_port = self.rpc_port or _free_port()
        return {
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{rpc_port}",
            "INFLUXDB_META_DIR": str(data / "meta"),
            "INFLUXDB_DATA_DIR": str(data / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(data / "wal"),
            # A delay would cost each write request its length; 0s syncs at once.
            "INFLUXDB_DATA_WAL_FSYNC_DELAY": "0s",
            "INFLUXDB_DATA_INDEX_VERSION": "tsi1",
            # Bulk loads: fewer snapshots to compact and fewer collections; a sixth less CPU for 300 MB more memory.
            "INFLUXDB_DATA_CACHE_SNAPSHOT_MEMORY_SIZE": "128m",
            "GOGC": "200",
            "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_HTTP_AUTH_ENABLED": "true",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_HTTP_UNIX_SOCKET_ENABLED": "false",
            "INFLUXDB_CONTINUOUS_QUERIES_ENABLED": "false",
            "INFLUXDB_SUBSCRIBER_ENABLED": "false",
        }

    def _prepared(
        self, origin: str, pid: int | None, password: str, admin_password: str, container: str | None = None
    ) -> InfluxInfo:
        with client() as http:
            # Creating the first administrator is the one statement that a new server takes without credentials.
            statement(
                http,
                self._url,
                None,
                f"CREATE USER admin WITH PASSWORD '{admin_password}' WITH ALL PRIVILEGES",
            )
            admin = ("admin", admin_password)
            prepare(http, self._url, admin, self.database, password)
        version = ping(self._url) or "unknown"
        return InfluxInfo(
            self._url, version, self.database, password, self.database, pid, origin, admin_password, container
        )

    def _external(self, url: str) -> InfluxInfo:
        """The server of INFLUXDB_URL, with its administrator's name and password in the URL where it wants them."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.hostname}:{parts.port or 8086}"
        version = ping(base)
        if version is None:
            raise InfluxStartError(f"no InfluxDB answers at INFLUXDB_URL ({base})")
        admin = (parts.username, parts.password or "") if parts.username else None
        password = (self._read_record() or {}).get("password") or secrets.token_urlsafe(24)
        with client() as http:
            prepare(http, base, admin, self.database, password)
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return InfluxInfo(base, version, self.database, password, self.database, None, "url")

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _read_record(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.state / _RECORD).read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def _write_record(self, info: InfluxInfo) -> None:
        path = self.state / _RECORD
        aside = path.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(json.dumps(asdict(info)))
        aside.replace(path)


def _is_influxd(pid: int) -> bool:
    """Whether the process lives and is a server, not a stranger that got its number."""
    command = Path(f"/proc/{pid}/cmdline")
    try:
        arguments = command.read_bytes().split(b"\0")
    except OSError:
        return False
    return arguments[0].endswith(b"influxd")


def _stop_process(pid: int) -> None:
    """End a server politely, then by force."""
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and _runs(pid):
            time.sleep(0.05)
        if _is_influxd(pid):
            os.kill(pid, signal.SIGKILL)
            _runs(pid)
    except ProcessLookupError:
        return


def _runs(pid: int) -> bool:
    """Whether the process still runs; a dead child of ours is collected on the way."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return _is_influxd(pid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InfluxStartError(
                f"port {port} of 127.0.0.1 is taken; set GRIDLAKE_INFLUX_PORT to another"
            ) from error
