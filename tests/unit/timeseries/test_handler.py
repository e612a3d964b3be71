"""What the handler puts on the wire for each server version, and what it makes of the answers.

No server of version 2 or 3 can run here: their wire format is proven against a stub that records requests.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import subprocess
import sys
import time
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto import mock_aws

from gridlake.platform.errors import PermanentError
from gridlake.timeseries import _transport, _v2
from gridlake.timeseries.credentials import Credentials, SecretCredentials
from gridlake.timeseries.errors import (
    InfluxCredentialsError,
    InfluxRefusedError,
    InfluxUnavailableError,
    InfluxUnsupportedError,
)
from gridlake.timeseries.handler import InfluxDBHandler, quote_identifier, quote_string
from tests.integration.timeseries.support import stub_server
from tests.servers import free_port

NO_CONTENT = (204, {}, b"")
LINE = b"m,t=x f=1 1\n"
FIRST_AND_LAST = {"start": 1_704_067_200_123_456_789, "stop": 1_704_067_300_000_000_000}


def answer(document: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def connected(url: str, version: int, *, budget: float = 2.0) -> InfluxDBHandler:
    credentials = Credentials("reader", "pä:ss") if version == 1 else Credentials(token="t0ken")
    return InfluxDBHandler(
        url=url, database="grid lake", version=version, credentials=credentials, org="ops", budget=budget
    )


@pytest.mark.parametrize(
    ("version", "path", "query", "authorization"),
    [
        (
            1,
            "/write",
            {"db": ["grid lake"], "precision": ["ns"]},
            "Basic " + base64.b64encode("reader:pä:ss".encode()).decode(),
        ),
        (
            2,
            "/api/v2/write",
            {"bucket": ["grid lake"], "org": ["ops"], "precision": ["ns"]},
            "Token t0ken",
        ),
        (
            3,
            "/api/v3/write_lp",
            {"db": ["grid lake"], "precision": ["nanosecond"], "accept_partial": ["true"]},
            "Bearer t0ken",
        ),
    ],
)
def test_write(version: int, path: str, query: dict[str, list[str]], authorization: str) -> None:
    with stub_server(NO_CONTENT) as stub:
        connected(stub.url, version).write(memoryview(LINE))
    (request,) = stub.requests
    assert (request.method, request.path, request.query) == ("POST", path, query)
    assert request.body == LINE
    assert request.headers["Authorization"] == authorization


@pytest.mark.parametrize("version", [1, 2, 3])
def test_query(version: int) -> None:
    body = answer(
        {
            "results": [
                {
                    "series": [
                        {"name": "m", "tags": {"t": "x"}, "columns": ["time", "f"], "values": [[1, 2.5]]}
                    ]
                }
            ]
        }
    )
    with stub_server(body) as stub:
        (series,) = connected(stub.url, version).query(
            "SELECT f FROM m WHERE t = $t", params={"t": "x"}, epoch="s"
        )
    assert (series.name, dict(series.tags), series.columns, series.values) == (
        "m",
        {"t": "x"},
        ("time", "f"),
        [[1, 2.5]],
    )
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", "/query")
    assert parse_qs(request.body.decode()) == {
        "db": ["grid lake"],
        "q": ["SELECT f FROM m WHERE t = $t"],
        "epoch": ["s"],
        "chunked": ["true"],
        "params": ['{"t": "x"}'],
    }


def test_delete_in_version_1_quotes_everything() -> None:
    with stub_server(answer({"results": [{}]})) as stub:
        connected(stub.url, 1).delete('m"x', tags={"t": "d'Oeste\\", "u": ""}, **FIRST_AND_LAST)
    form = parse_qs(stub.requests[0].body.decode())
    assert form["q"] == [
        'DELETE FROM "m\\"x" WHERE "t" = \'d\\\'Oeste\\\\\' AND "u" = \'\''
        " AND time >= 1704067200123456789 AND time <= 1704067300000000000"
    ]


def test_delete_in_version_2() -> None:
    with stub_server(NO_CONTENT) as stub:
        connected(stub.url, 2).delete("m", tags={"t": 'a"b'}, **FIRST_AND_LAST)
    (request,) = stub.requests
    assert (request.path, request.query) == ("/api/v2/delete", {"bucket": ["grid lake"], "org": ["ops"]})
    assert json.loads(request.body) == {
        "start": "2024-01-01T00:00:00.123456789Z",
        "stop": "2024-01-01T00:01:40.000000000Z",
        "predicate": '"_measurement"="m" AND "t"="a\\"b"',
    }


def test_delete_in_version_3_is_unsupported() -> None:
    with stub_server(NO_CONTENT) as stub, pytest.raises(InfluxUnsupportedError, match="can't delete"):
        connected(stub.url, 3).delete("m", **FIRST_AND_LAST)
    assert stub.requests == []


def test_unknown_version() -> None:
    with pytest.raises(PermanentError, match="version 4"):
        connected("http://localhost", 4)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_of_the_server_is_retried(version: int, status: int) -> None:
    with stub_server((status, {}, b'{"error":"busy"}'), (status, {}, b""), NO_CONTENT) as stub:
        connected(stub.url, version, budget=10).write(LINE)
    assert len(stub.requests) == 3


@pytest.mark.parametrize("version", [1, 2, 3])
def test_retries_end_in_time_with_a_transient_error(version: int) -> None:
    with stub_server((503, {}, b'{"error":"overloaded"}')) as stub:
        started = time.monotonic()
        with pytest.raises(InfluxUnavailableError, match="503") as failure:
            connected(stub.url, version, budget=1.0).write(LINE)
    assert failure.value.transient
    assert 0.3 < time.monotonic() - started < 4
    assert len(stub.requests) >= 2


@pytest.mark.parametrize("version", [1, 2, 3])
def test_retry_after_is_honoured(version: int) -> None:
    with stub_server((429, {"Retry-After": "1"}, b""), NO_CONTENT) as stub:
        started = time.monotonic()
        connected(stub.url, version, budget=10).write(LINE)
    assert time.monotonic() - started >= 1
    assert len(stub.requests) == 2


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_pause_beyond_the_budget_is_left_to_the_caller(version: int) -> None:
    with stub_server((503, {"Retry-After": "60"}, b"")) as stub:
        started = time.monotonic()
        with pytest.raises(InfluxUnavailableError) as failure:
            connected(stub.url, version).write(LINE)
    assert time.monotonic() - started < 2
    assert failure.value.retry_after == 60
    assert len(stub.requests) == 1


@pytest.mark.parametrize("version", [1, 2, 3])
def test_no_server(version: int) -> None:
    with pytest.raises(InfluxUnavailableError, match="does not answer"):
        connected(f"http://127.0.0.1:{free_port()}", version, budget=0.5).write(LINE)


@pytest.mark.parametrize(
    ("version", "document", "lines", "dropped"),
    [
        (1, {"error": "partial write: unable to parse 'm f=': missing field value dropped=0"}, ("m f=",), 0),
        (1, {"error": "partial write: field type conflict: input field dropped=3"}, (), 3),
        (2, {"code": "invalid", "message": "unable to parse 'm f=': missing field value"}, ("m f=",), None),
        (
            3,
            {
                "error": "partial write",
                "data": [{"original_line": "m f=", "line_number": 1, "error_message": "no"}],
            },
            ("m f=",),
            None,
        ),
    ],
)
def test_refused_lines_are_named(
    version: int, document: Any, lines: tuple[str, ...], dropped: int | None
) -> None:
    with stub_server(answer(document, 400)) as stub, pytest.raises(InfluxRefusedError) as refusal:
        connected(stub.url, version).write(LINE)
    assert (refusal.value.lines, refusal.value.dropped, refusal.value.http_status) == (lines, dropped, 400)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("version", [1, 2, 3])
def test_refused_credentials_are_read_again_once(version: int) -> None:
    reads = []

    class Source:
        def get(self, *, refresh: bool = False) -> Credentials:
            reads.append(refresh)
            return Credentials("u", "old" if not any(reads) else "new", "old" if not any(reads) else "new")

    with stub_server((401, {}, b'{"error":"no"}'), NO_CONTENT, (401, {}, b'{"error":"no"}')) as stub:
        handler = InfluxDBHandler(url=stub.url, database="d", version=version, credentials=Source(), org="o")
        handler.write(LINE)
        assert reads.count(True) == 1
        with pytest.raises(InfluxCredentialsError):
            handler.write(LINE)


def test_forbidden_is_not_retried() -> None:
    refusal = (403, {}, b'{"error":"not authorized to write"}')
    with stub_server(refusal) as stub, pytest.raises(InfluxCredentialsError, match="not authorized"):
        connected(stub.url, 1).write(LINE)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"results": [{"error": "query timeout"}]}, InfluxUnavailableError),
        ({"results": [{"error": "mean of tag"}]}, InfluxRefusedError),
        ({"error": "parse"}, InfluxRefusedError),
        ({"results": [{"series": [{"name": "m", "columns": [], "partial": True}]}]}, InfluxRefusedError),
    ],
)
def test_errors_inside_an_answer(document: Any, error: type[Exception]) -> None:
    with stub_server(answer(document)) as stub, pytest.raises(error):
        connected(stub.url, 1).query("SELECT 1")


def test_an_error_in_csv() -> None:
    with stub_server((200, {}, b'error\n"timeout"\n')) as stub, pytest.raises(InfluxUnavailableError):
        connected(stub.url, 1).csv("SELECT 1")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_connections_are_kept_and_gzip_is_for_other_machines(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = LINE * 500
    with stub_server(NO_CONTENT) as stub:
        connected(stub.url, version).write(long)
        for module in (_transport, _v2):
            monkeypatch.setattr(module, "is_loopback", lambda _: False)
        connected(stub.url, version).write(long)
    plain, packed = stub.requests
    assert plain.body == long
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == long


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8086", True),
        ("http://[::1]:8086", True),
        ("http://localhost", True),
        ("https://influx.example.com:8086", False),
        ("http://10.0.0.5", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert _transport.is_loopback(url) is loopback


def test_ping() -> None:
    with stub_server((204, {"X-Influxdb-Version": "1.8.10"}, b"")) as stub:
        assert [connected(stub.url, version).ping() for version in (1, 2, 3)] == ["1.8.10"] * 3


def test_secret_is_read_once_and_its_url_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with mock_aws(), stub_server(NO_CONTENT) as stub:
        secrets = boto3.client("secretsmanager", region_name="us-east-1")
        made = secrets.create_secret(
            Name="influx",
            SecretString=json.dumps({"username": "u", "password": "p4ssw0rd-x", "url": stub.url}),
        )
        source = SecretCredentials(made["ARN"], secrets)
        assert source.get() is source.get()
        assert source.get(refresh=True) is not None
        handler = InfluxDBHandler(url="http://unused.invalid", database="d", credentials=source)
        handler.write(LINE)
        assert len(stub.requests) == 1
        assert "p4ssw0rd-x" not in repr(source.get())
        ours = [r.getMessage() for r in caplog.records if not r.name.startswith("botocore")]
        assert not any("p4ssw0rd-x" in message for message in ours)


@pytest.mark.parametrize("text", ["not json: hunter2", "[]", '{"username": "hunter2"}', '"hunter2"'])
def test_a_useless_secret_is_not_shown(text: str) -> None:
    class Client:
        def get_secret_value(self, **_: str) -> dict[str, str]:
            return {"SecretString": text}

    with pytest.raises(PermanentError, match="holds no InfluxDB credentials") as failure:
        SecretCredentials("arn", Client()).get()
    assert failure.value.error_code == "invalid_influx_secret"
    assert "hunter2" not in repr(failure.value) + repr(failure.value.__cause__)


def test_quoting() -> None:
    assert quote_identifier('a"b\\c') == '"a\\"b\\\\c"'
    assert quote_string("d'Oeste\\") == "'d\\'Oeste\\\\'"


def test_imports_neither_arrow_nor_the_client() -> None:
    script = (
        "import urllib3, sys, time; t = time.perf_counter(); import gridlake.timeseries.handler, "
        "gridlake.timeseries._v1, gridlake.timeseries._v2, gridlake.timeseries._v3; "
        "print(time.perf_counter() - t, [m for m in ('pandas', 'pyarrow', 'numpy', 'influxdb_client', 'boto3') if m in sys.modules])"
    )
    shown = min(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    )
    seconds, heavy = shown.split(" ", 1)
    assert heavy.strip() == "[]"
    assert float(seconds) < 0.1
