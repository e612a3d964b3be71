"""Whatever is sent, the API answers with a problem that tells nothing of its insides."""

from __future__ import annotations

import base64
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlake.api import uploads
from gridlake.platform.clients import client
from gridlake.platform.errors import InvalidRequestError
from tests.unit.api.conftest import Api, api, influx  # noqa: F401 - fixtures

POSTS = ("/uploads", "/timeseries/query", "/verifications")


@pytest.fixture
def hostile(api: Api) -> Api:  # noqa: F811 - the fixture
    return api


def is_harmless(text: str) -> None:
    for word in ("Traceback", 'File "', "testing", "/layers/", "botocore", "arn:aws", "password"):
        assert word not in text, text


@pytest.mark.parametrize(
    "filename",
    [
        "../secrets.csv",
        "..",
        " .. ",
        "a/../../b.csv",
        "/etc/passwd",
        "..\\..\\b.csv",
        "a\x00.csv",
        "a\nb.csv",
        "a\x7f.csv",
        "photo\u202egnp.csv",
        "x" * 256,
        "é" * 200,
        "",
        "   ",
        None,
        5,
        ["a.csv"],
    ],
)
@pytest.mark.parametrize("field", ["filename", "publisher"])
def test_a_name_that_could_leave_its_folder_is_refused(filename: Any, field: str) -> None:
    if field == "publisher" and filename is None:
        return
    with pytest.raises(InvalidRequestError) as caught:
        uploads.read_request({"filename": "a.csv", "size": 1} | {field: filename})
    assert caught.value.details["pointer"] == f"/{field}"


@pytest.mark.parametrize(
    "filename", ["a b+c.csv", "água çã.xlsx", "数据.csv", "..a.csv", "a..b.csv", "%2e%2e.csv", "a?b#c&d=.csv"]
)
def test_a_strange_but_honest_name_is_kept(filename: str) -> None:
    assert (
        uploads.read_request({"filename": filename, "publisher": "ons", "size": 1}).key
        == f"raw/ons/{filename}"
    )


@given(st.text(max_size=300))
def test_a_key_always_has_three_parts(name: str) -> None:
    try:
        key = uploads.read_request({"filename": name, "size": 1}).key
    except InvalidRequestError:
        return
    assert key.split("/")[:2] == ["raw", "uploads"]
    assert key.count("/") == 2
    assert len(key.encode()) <= 1024


@pytest.mark.parametrize(
    "body",
    [
        '{"dataset": ',
        "[]",
        '"x"',
        "null",
        "NaN",
        '{"limit": NaN}',
        "[" * 20_000,
        "\ufeff{}",
        '{"dataset": "\\ud800"}',
    ],
)
def test_malformed_json_is_a_problem(hostile: Api, body: str) -> None:
    for path in POSTS:
        answer = hostile("POST", path, body, raw=True)
        assert (answer.status, answer.type) == (400, "application/problem+json"), (path, answer.text)
        is_harmless(answer.text)


def test_an_oversized_body_is_not_parsed(hostile: Api) -> None:
    for path in POSTS:
        with mock.patch("json.loads", side_effect=AssertionError("parsed")):
            raw = json.dumps({"dataset": "x" * 70_000})
            answer = _quietly(hostile, path, raw)
        assert json.loads(answer["body"])["code"] == "body_too_large"
        assert answer["statusCode"] == 413


def _quietly(hostile: Api, path: str, raw: str) -> dict[str, Any]:
    from tests.unit.api.conftest import OWNERS, LambdaContext, load

    event = {
        "path": path,
        "httpMethod": "POST",
        "headers": {},
        "requestContext": {"path": path, "requestId": "r"},
        "body": raw,
        "isBase64Encoded": False,
    }
    answer: dict[str, Any] = load(OWNERS["/" + path.split("/")[1]]).handler(event, LambdaContext())
    return answer


def test_an_encoded_body_that_is_no_text_is_a_problem(hostile: Api) -> None:
    for body in ("%%%", base64.b64encode(b"\xff\xfe\x00").decode()):
        answer = hostile("POST", "/timeseries/query", body, raw=True, base64=True)
        assert answer.status == 400


def test_wrong_types_everywhere_are_problems(hostile: Api) -> None:
    names = (
        "dataset",
        "measures",
        "filters",
        "start",
        "end",
        "window",
        "aggregate",
        "group_by",
        "order",
        "limit",
        "units",
    )
    good = {"dataset": "ons_load_hourly", "start": "2024-01-01", "end": "2024-01-02"}
    for name in names:
        for value in (0, -1, 1e308, True, "\x00", "x" * 5000, {"a": {"b": []}}, [[[]]], [None]):
            answer = hostile("POST", "/timeseries/query", good | {name: value})
            assert answer.status in (400, 404) or (name, value) == ("limit", True), (name, value, answer.text)
            is_harmless(answer.text)


@pytest.mark.parametrize("identifier", ["ing-..", "ing-" + "0" * 20, "../../x", "ing-%00", "x" * 3000])
def test_strange_identifiers_are_not_found(hostile: Api, identifier: str) -> None:
    for path in (f"/ingestions/{identifier}", f"/verifications/{identifier}", f"/datasets/{identifier}"):
        answer = hostile("GET", path)
        assert answer.status == 404
        is_harmless(answer.text)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "９"},
        {"limit": "1e9"},
        {"status": "'"},
        {"cursor": "%%%"},
        {"x": "1"},
    ],
)
def test_strange_parameters_are_problems(hostile: Api, query: dict[str, str]) -> None:
    answer = hostile("GET", "/ingestions", query=query)
    assert answer.status == 400, answer.text
    is_harmless(answer.text)


def test_a_fault_of_ours_tells_only_that_it_is_ours(hostile: Api) -> None:
    client("dynamodb").delete_table(TableName=hostile.settings.ledger_table)
    answer = hostile("GET", "/datasets")
    assert answer.status == 500
    is_harmless(answer.text)
    with mock.patch("gridlake.api.datasets.summaries", side_effect=RuntimeError("password=hunter2")):
        answer = hostile("GET", "/datasets")
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
