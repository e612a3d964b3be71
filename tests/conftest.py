"""How the whole run is shared between two workers, what it takes from the environment, and its InfluxDB."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from gridlake_local.influx import InfluxInfo, InfluxServer, InfluxStartError, unpack_package
from tests.servers import InfluxDatabase, free_port

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


TOGETHER = ("tests/e2e/", "tests/integration/local/", "tests/integration/packaging/")
"""Folders whose tests share what is slow to start: a deployed application, a build."""


class Sharing(LoadScopeScheduling):
    """Give each worker a file at a time, or all files of a folder that shares a server; the longest, end-to-end, first.

    `--dist loadgroup` would do, but xdist 3.8 writes its groups into a name that pytest 9.2 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """How `-n` shares the tests between workers."""
    config.option.loadscopereorder = False
    return Sharing(config, log)


KEPT = {"GRIDLAKE_REFERENCE_DATA", "GRIDLAKE_E2E_STATE"}
"""The settings of ours that are meant for tests; all others belong to whoever runs them."""


def pytest_configure(config: pytest.Config) -> None:
    """Forget the caller's accounts, regions, ports and state: no test may reach or depend on them."""
    ours = ("AWS_", "GRIDLAKE_", "INFLUXDB_URL")
    for name in [n for n in os.environ if n.startswith(ours) and n not in KEPT]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def influxd() -> None:
    """One `influxd` for all servers of the run: that of PATH, else Debian's, fetched once for the checkout."""
    if not shutil.which("influxd"):
        with suppress(
            InfluxStartError
        ):  # then whoever needs a server finds a container, or says what is missing
            folder = unpack_package(ROOT / "build" / "influxdb").parent
            os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}{folder}"


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxInfo]:
    """The one server of this session, with its administrator's password."""
    server = InfluxServer(tmp_path_factory.mktemp("influx"), free_port())
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def influx_database(influx_server: InfluxInfo, tmp_path_factory: pytest.TempPathFactory) -> InfluxDatabase:
    """Makes a database with its own user on the server of this session."""
    address = urlsplit(influx_server.url)
    administrator = f"http://admin:{influx_server.admin_password}@{address.netloc}"

    def database(name: str) -> InfluxInfo:
        with mock.patch.dict(os.environ, {"INFLUXDB_URL": administrator}):
            return InfluxServer(tmp_path_factory.mktemp(name), address.port or 0, database=name).start()

    return database
