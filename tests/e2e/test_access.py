"""Who may ask, and what a bad request gets."""

from __future__ import annotations

import httpx
import pytest

from .conftest import Stack

PROBLEM = "application/problem+json"
QUERY = {
    "dataset": "ons_load_hourly",
    "measures": ["load_mw"],
    "start": "1999-01-01",
    "end": "1999-01-02",
}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "not-a-key"}])
@pytest.mark.parametrize("path", ["/health", "/datasets", "/ingestions"])
def test_nobody_gets_in_without_a_key(stack: Stack, headers: dict[str, str], path: str) -> None:
    answer = httpx.get(stack.status.api_url + path, headers=headers, timeout=30)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.json()["code"] == "forbidden"
    assert answer.json()["instance"] == f"/v1{path}"
    assert answer.json()["request_id"]


def test_every_tier_may_read(stack: Stack) -> None:
    for tier in ("basic", "standard", "premium"):
        with stack.api(tier) as api:
            assert api.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"dataset": "nothing"}, 404, "unknown_dataset"),
        ({"measures": ["nothing"]}, 400, "unknown_measure"),
        ({"start": "yesterday-ish"}, 400, "invalid_request"),
        ({"end": "1998-01-01"}, 400, "invalid_request"),
        ({"window": "0s"}, 400, "invalid_request"),
        ({"limit": 10**9}, 400, "invalid_request"),
        ({"filters": {"subsystem": "'; DROP MEASUREMENT ons_load_hourly; --"}}, 400, "invalid_request"),
    ],
)
def test_a_wrong_query_is_a_problem_that_says_what_to_do(
    stack: Stack, change: dict[str, object], status: int, code: str
) -> None:
    with stack.api() as api:
        answer = api.post("/timeseries/query", json=QUERY | change)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(PROBLEM)
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]


def test_malformed_json_is_refused(stack: Stack) -> None:
    with stack.api() as api:
        answer = api.post(
            "/timeseries/query", content=b'{"dataset": ', headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.json()["code"] == "invalid_request"


def test_what_is_wrong_with_a_body_is_named(stack: Stack) -> None:
    with stack.api() as api:
        answer = api.post("/timeseries/query", json={"start": "2024-01-01", "end": "2024-01-02", "limit": 0})
    assert answer.status_code == 400
    assert "dataset" in answer.json()["detail"]
    assert "limit" in answer.json()["detail"]


def test_a_route_that_does_not_exist_is_a_problem_too(stack: Stack) -> None:
    with stack.api() as api:
        answer = api.get("/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.json()["code"] == "unknown_route"


def test_a_range_without_data_is_an_answer(stack: Stack) -> None:
    with stack.api() as api:
        answer = api.post("/timeseries/query", json=QUERY)
    assert answer.status_code == 200
    assert answer.json()["rows"] == []
    assert answer.json()["notices"]


def test_over_quota_is_told_apart_from_a_wrong_key(stack: Stack) -> None:
    with stack.exhausted_key() as api:
        assert api.get("/health").status_code == 200
        refused = api.get("/health")
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith(PROBLEM)
    assert refused.json()["code"] == "quota_exceeded"
