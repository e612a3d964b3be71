"""Starting, finding, keeping and stopping a real InfluxDB."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from gridlake.timeseries.errors import InfluxCredentialsError
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake_local.influx import InfluxInfo, InfluxServer, InfluxStartError
from tests.integration.timeseries.support import handler_of
from tests.servers import free_port


def test_start_is_idempotent_and_data_survives_a_stop(tmp_path: Path) -> None:
    server = InfluxServer(tmp_path, free_port())
    assert server.status() is None
    info = server.start()
    try:
        assert InfluxServer(tmp_path, info.pid or 0).start() == info
        handler_of(info).write(b"m f=1 1")
        server.stop()
        server.stop()
        assert server.status() is None
        again = server.start()
        assert again.password == info.password
        assert handler_of(again).query("SELECT f FROM m")[0].values == [[1, 1]]
        record = tmp_path / "influx.json"
        assert stat.S_IMODE(record.stat().st_mode) == 0o600
    finally:
        server.stop()


def test_the_user_has_its_database_only(influx: InfluxInfo) -> None:
    anonymous = InfluxDBHandler(url=influx.url, database=influx.database, budget=1)
    with pytest.raises(InfluxCredentialsError):
        anonymous.query("SHOW MEASUREMENTS")
    with pytest.raises(InfluxCredentialsError):
        handler_of(influx).query("CREATE DATABASE another")


def test_taken_port_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InfluxStartError, match=f"port {port}"):
            InfluxServer(tmp_path, port).start()


def test_a_server_given_by_url(
    influx_server: InfluxInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = influx_server.url.replace("http://", f"http://admin:{influx_server.admin_password}@")
    monkeypatch.setenv("INFLUXDB_URL", address)
    server = InfluxServer(tmp_path, 1, database="given")
    info = server.start()
    assert (info.url, info.pid, info.origin) == (influx_server.url, None, "url")
    handler_of(info).write(b"m f=1 1")
    server.stop()
    assert server.status() is not None, "a server that is not ours is left running"
    monkeypatch.setenv("INFLUXDB_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InfluxStartError, match="INFLUXDB_URL"):
        InfluxServer(tmp_path / "other", 1).start()
