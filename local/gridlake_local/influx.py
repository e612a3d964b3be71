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
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

IMAGE = "influxdb:1.8"
DEBIAN_PACKAGE = "influxdb"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_RECORD = "influx.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class InfluxStartError(RuntimeError):
    """No InfluxDB could be found or started; the message says what was tried."""


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
        return info if _answers(info.url) else None

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
        if binary is None and _docker_works():
            container = self._start_container(admin_password)
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
        while not _answers(self._url):
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

    def _start_container(self, admin_password: str) -> str | None:
        """A container of version 1, or None where its image can't be had."""
        name = f"gridlake-influx-{self.port}"
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
        data = self.state / "influx-container"
        data.mkdir(parents=True, exist_ok=True)
        started = subprocess.run(
            [
                *("docker", "run", "-d", "--name", name, "-p", f"127.0.0.1:{self.port}:8086"),
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
            if _answers(self._url):
                return name
            time.sleep(0.2)
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
        return None

    def _prepared(
        self, origin: str, pid: int | None, password: str, admin_password: str, container: str | None = None
    ) -> InfluxInfo:
        with _client() as http:
            # Creating the first administrator is the one statement that a new server takes without credentials.
            _statement(
                http,
                self._url,
                None,
                f"CREATE USER admin WITH PASSWORD '{admin_password}' WITH ALL PRIVILEGES",
            )
            admin = ("admin", admin_password)
            _prepare(http, self._url, admin, self.database, password)
        version = _ping(self._url) or "unknown"
        return InfluxInfo(
            self._url, version, self.database, password, self.database, pid, origin, admin_password, container
        )

    def _external(self, url: str) -> InfluxInfo:
        """The server of INFLUXDB_URL, with its administrator's name and password in the URL where it wants them."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.hostname}:{parts.port or 8086}"
        version = _ping(base)
        if version is None:
            raise InfluxStartError(f"no InfluxDB answers at INFLUXDB_URL ({base})")
        admin = (parts.username, parts.password or "") if parts.username else None
        password = (self._read_record() or {}).get("password") or secrets.token_urlsafe(24)
        with _client() as http:
            _prepare(http, base, admin, self.database, password)
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


@contextmanager
def _client() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=20), retries=False) as http:
        yield http


def _statement(
    http: urllib3.PoolManager, url: str, user: tuple[str, str] | None, statement: str
) -> str | None:
    """Run a statement; the server's error text, or None."""
    headers = urllib3.make_headers(basic_auth=":".join(user)) if user else None
    answer = http.request(
        "POST", f"{url}/query", fields={"q": statement}, encode_multipart=False, headers=headers
    )
    document = answer.json()
    if "error" in document:
        return str(document["error"])
    return next((str(r["error"]) for r in document.get("results", ()) if "error" in r), None)


def _prepare(
    http: urllib3.PoolManager, url: str, admin: tuple[str, str] | None, database: str, password: str
) -> None:
    """Create the database and its user; both are named alike. Repeating it changes nothing but the password."""
    for statement, needed in (
        (f"CREATE DATABASE {database}", True),
        # Years of hourly data: shards of a week, the default, would cost more than the points in them.
        (f"ALTER RETENTION POLICY autogen ON {database} SHARD DURATION 52w", True),
        (f"CREATE USER {database} WITH PASSWORD '{password}'", False),
        (f"SET PASSWORD FOR {database} = '{password}'", True),
        (f"GRANT ALL ON {database} TO {database}", True),
    ):
        error = _statement(http, url, admin, statement)
        if error and needed:
            raise InfluxStartError(f"InfluxDB at {url} refused to prepare database {database}: {error}")


def _ping(url: str) -> str | None:
    try:
        with _client() as http:
            answer = http.request("GET", f"{url}/ping")
    except (urllib3.exceptions.HTTPError, OSError):
        return None
    return answer.headers.get("X-Influxdb-Version", "unknown") if answer.status in (200, 204) else None


def _answers(url: str) -> bool:
    return _ping(url) is not None


def _docker_works() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        done = subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _is_influxd(pid: int) -> bool:
    """Whether the process lives and is a server, not a stranger that got its number."""
    command = Path(f"/proc/{pid}/cmdline")
    try:
        arguments = command.read_bytes().split(b"\0")
    except OSError:
        return False
    return arguments[0].endswith(b"influxd")


def _stop_process(pid: int) -> None:
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
