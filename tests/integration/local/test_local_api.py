"""API keys and request validation of an imported OpenAPI document: extension api_definition."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def key(probe):
    return probe.client("apigateway").get_api_key(apiKey=probe.outputs["ApiKeyId"], includeValue=True)[
        "value"
    ]


def test_a_good_request_reaches_the_handler(probe, key):
    assert probe.post("/greetings?tone=warm", '{"name": "Ana"}', key) == (200, {"hello": "Ana"})


@pytest.mark.parametrize("wrong", [None, "not-a-key"])
def test_without_a_key_there_is_no_entry(probe, wrong):
    assert probe.post("/greetings?tone=warm", '{"name": "Ana"}', wrong)[0] == 403


@pytest.mark.parametrize("body", ["{}", '{"name": 3}', '{"name": "A"}', "{nonsense", ""])
def test_a_bad_body_is_refused_by_the_gateway(probe, key, body):
    status, answer = probe.post("/greetings?tone=warm", body, key)
    assert (status, answer["message"]) == (400, "Invalid request body")


def test_a_missing_parameter_is_named(probe, key):
    status, answer = probe.post("/greetings", '{"name": "Ana"}', key)
    assert status == 400
    assert answer["message"] == "Missing required request parameters: [tone]"
