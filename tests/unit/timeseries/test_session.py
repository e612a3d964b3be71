"""How a user name and password become a token of InfluxDB 2, as its API describes it.

No server of version 2 can run here: a stub plays the documented answers.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gridlake.timeseries.credentials import Credentials
from gridlake.timeseries.errors import InfluxCredentialsError, InfluxRefusedError
from gridlake.timeseries.handler import InfluxDBHandler
from tests.integration.timeseries.support import stub_server

NO_CONTENT: tuple[int, dict[str, str], bytes] = (204, {}, b"")
SIGNED_IN = (204, {"Set-Cookie": "influxdb-oss-session=abc; Path=/api/; HttpOnly"}, b"")
REFUSED: tuple[int, dict[str, str], bytes] = (
    401,
    {},
    b'{"code":"unauthorized","message":"unauthorized access"}',
)
LINE = b"m,t=x f=1 1\n"


def answer(document: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


BUCKET = answer({"buckets": [{"id": "b1", "orgID": "o1", "name": "lake"}]})


def connected(url: str) -> InfluxDBHandler:
    return InfluxDBHandler(
        url=url, database="lake", version=2, credentials=Credentials("admin", "secret"), org="ops", budget=2.0
    )


def test_a_first_write_makes_a_token_for_the_bucket_alone() -> None:
    made = answer({"id": "a1", "token": "made"}, 201)
    with stub_server(SIGNED_IN, BUCKET, answer({"authorizations": []}), made, NO_CONTENT, NO_CONTENT) as stub:
        handler = connected(stub.url)
        handler.write(LINE)
        handler.write(LINE)
    signin, buckets, listed, creation, signout, *writes = stub.requests
    assert (signin.method, signin.path) == ("POST", "/api/v2/signin")
    assert signin.headers["Authorization"] == "Basic " + base64.b64encode(b"admin:secret").decode()
    assert (buckets.path, buckets.query) == ("/api/v2/buckets", {"name": ["lake"], "org": ["ops"]})
    assert (listed.method, listed.query) == ("GET", {"orgID": ["o1"]})
    asked = json.loads(creation.body)
    resource = {"type": "buckets", "orgID": "o1", "id": "b1"}
    assert asked["permissions"] == [{"action": a, "resource": resource} for a in ("read", "write")]
    assert signout.path == "/api/v2/signout"
    assert {r.headers["Cookie"] for r in (buckets, listed, creation, signout)} == {"influxdb-oss-session=abc"}
    assert [(r.path, r.headers["Authorization"]) for r in writes] == [("/api/v2/write", "Token made")] * 2


def test_a_token_that_is_there_is_used_again() -> None:
    mine = {"description": "gridlake lake", "status": "active"}
    kept = {
        "authorizations": [
            {"id": "9", "token": "operator", "description": "admin's Token", "status": "active"},
            {"id": "2", "token": "younger", "createdAt": "2026-02-01T00:00:00Z", **mine},
            {"id": "3", "token": "older", "createdAt": "2026-01-01T00:00:00Z", **mine},
            {"id": "1", "token": "off", **mine, "status": "inactive"},
        ]
    }
    series = answer({"results": [{"statement_id": 0}]})
    with stub_server(SIGNED_IN, BUCKET, answer(kept), NO_CONTENT, series) as stub:
        connected(stub.url).query("SHOW MEASUREMENTS")
    assert stub.requests[-1].path == "/query"
    assert stub.requests[-1].headers["Authorization"] == "Token older"


def test_a_password_that_opens_no_session_is_taken_for_a_token() -> None:
    with stub_server(REFUSED, REFUSED, NO_CONTENT) as stub:
        connected(stub.url).write(LINE)
    assert stub.requests[-1].headers["Authorization"] == "Token secret"


def test_wrong_credentials_are_said_to_be_wrong() -> None:
    with (
        stub_server(REFUSED) as stub,
        pytest.raises(InfluxCredentialsError, match="refused the credentials"),
    ):
        connected(stub.url).query("SHOW MEASUREMENTS")


def test_a_missing_bucket_is_named() -> None:
    with (
        stub_server(SIGNED_IN, answer({"buckets": []}), NO_CONTENT) as stub,
        pytest.raises(InfluxRefusedError, match="no bucket lake"),
    ):
        connected(stub.url).write(LINE)
    assert stub.requests[-1].path == "/api/v2/signout"


def test_a_sign_out_that_fails_costs_nothing() -> None:
    made = answer({"id": "a1", "token": "made"}, 201)
    with stub_server(
        SIGNED_IN, BUCKET, answer({"authorizations": []}), made, (400, {}, b"{}"), NO_CONTENT
    ) as stub:
        connected(stub.url).write(LINE)
    assert stub.requests[-1].headers["Authorization"] == "Token made"


def test_a_token_that_is_refused_is_replaced_by_a_new_one() -> None:
    """It was deleted in between, or the server shows something else in its place."""
    kept = answer(
        {
            "authorizations": [
                {"id": "1", "token": "shown", "description": "gridlake lake", "status": "active"}
            ]
        }
    )
    made = answer({"id": "2", "token": "made"}, 201)
    first, second = (SIGNED_IN, BUCKET, kept, NO_CONTENT), (SIGNED_IN, BUCKET, kept, made, NO_CONTENT)
    with stub_server(*first, REFUSED, *second, NO_CONTENT) as stub:
        connected(stub.url).write(LINE)
    writes = [r.headers["Authorization"] for r in stub.requests if r.path == "/api/v2/write"]
    assert writes == ["Token shown", "Token made"]
