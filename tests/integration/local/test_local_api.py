"""API keys, request validation and errors of an imported OpenAPI document: extensions api_definition, gateway_responses."""

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


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "'name' is a required property"),
        ('{"name": 3}', "$.name: 3 is not of type 'string'"),
        ('{"name": "A"}', "$.name: 'A' is too short"),
        ('{"name": ["\\"", "$context.path"]}', "is not of type 'string'"),
        ("{nonsense", "the body is not JSON"),
        ("", "the body is not JSON"),
    ],
)
def test_a_bad_body_is_refused_by_the_gateway_as_the_document_says(probe, key, body, said):
    status, answer = probe.post("/greetings?tone=warm", body, key)
    assert (status, answer["message"]) == (422, "Invalid request body")
    assert said in answer["detail"]
    assert (answer["path"], answer["method"]) == ("/v1/greetings", "POST")


def test_a_missing_parameter_is_named_and_keeps_its_status(probe, key):
    status, answer = probe.post("/greetings", '{"name": "Ana"}', key)
    assert status == 400
    assert answer["message"] == "Missing required request parameters: [tone]"
    assert answer["request"]


def test_a_body_of_another_media_type_is_left_to_the_handler(probe, key):
    status, _ = probe.post("/greetings?tone=warm", "name: Ana", key, media_type="application/yaml")
    assert status != 422
