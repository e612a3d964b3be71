"""The OpenAPI document is valid, deployable, and says what the functions do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from http import HTTPStatus
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from .conftest import DOCUMENT, OWNERS, ROOT, load, resolved

METHODS = ("get", "post", "put", "delete", "patch")
OPERATIONS = [
    (path, method, node[method])
    for path, node in DOCUMENT["paths"].items()
    for method in METHODS
    if method in node
]


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.0.")


def routes_of(function: str) -> set[tuple[str, str]]:
    app = load(function).app
    found = set()
    for route in [*app._static_routes, *app._dynamic_routes]:
        found.add((str(route.path).replace("<", "{").replace(">", "}"), str(route.method).lower()))
    return found


def test_every_route_is_in_the_document_and_every_path_has_a_route() -> None:
    routes = set().union(*(routes_of(function) for function in OWNERS.values()))
    assert routes == {(path, method) for path, method, _ in OPERATIONS}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_guarded_validated_and_integrated(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["security"] == [{"ApiKey": []}]
    bodies = operation.get("requestBody", {}).get("content", {"application/json": {}})
    # API Gateway reads a body as JSON to compare it with a model, so YAML is left to the function.
    expected = "all" if set(bodies) == {"application/json"} else "parameters"
    assert operation["x-amazon-apigateway-request-validator"] == expected
    integration = operation["x-amazon-apigateway-integration"]
    function = OWNERS["/" + path.split("/")[1]].removeprefix("api_").capitalize()
    assert f"${{{function}FunctionAliaslive}}" in integration["uri"]["Fn::Sub"]
    assert {"403", "429", "500"} <= set(operation["responses"])
    assert operation["summary"]
    assert operation["description"]


def test_every_example_fits_its_schema() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "schema" in node and "example" in node:
                OAS30Validator(node["schema"]).validate(node["example"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(resolved(DOCUMENT["paths"]))


@pytest.mark.parametrize("function", OWNERS.values())
def test_the_sample_event_is_answered_by_a_route(function: str) -> None:
    event = json.loads((ROOT / "events" / f"{function}.json").read_text())
    assert (event["resource"], event["httpMethod"].lower()) in routes_of(function)
    if event["body"]:
        json.loads(event["body"])


@pytest.mark.parametrize("function", OWNERS.values())
def test_a_function_imports_nothing_heavy(function: str) -> None:
    heavy = (
        "pandas",
        "pyarrow",
        "numpy",
        "boto3",
        "botocore.session",
        "yaml",
        "jsonschema",
        "influxdb_client",
    )
    code = (
        f"import sys; sys.path[:0] = ['layers/shared', 'functions/{function}']; import app; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


GATEWAY_RESPONSES = DOCUMENT["x-amazon-apigateway-gateway-responses"]
VARIABLES = {
    "$context.error.messageString": ' "it \\"failed\\""',
    "$context.error.validationErrorString": '[object has missing required properties ([\\"dataset\\"])]',
    "$context.path": "/v1/datasets",
    "$context.requestId": "8f2c",
}


@pytest.mark.parametrize("kind", GATEWAY_RESPONSES)
def test_errors_of_the_gateway_are_problems_like_ours(kind: str) -> None:
    """The templates know no VTL: variables are put in as they are, messageString with its quotes."""
    response = GATEWAY_RESPONSES[kind]
    text = response["responseTemplates"]["application/json"]
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    assert "$" not in text
    problem = json.loads(text)
    assert problem["instance"] == "/v1/datasets"
    assert problem["request_id"] == "8f2c"
    assert problem["code"].replace("_", "").isalpha()
    assert problem["detail"]
    assert problem["hint"]
    assert problem.get("status") == response.get("statusCode")
    if "status" in problem:
        assert problem["title"] == HTTPStatus(problem["status"]).phrase
    assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == (
        "'application/problem+json'"
    )


def test_every_refusal_of_the_gateway_has_its_own_words() -> None:
    assert set(GATEWAY_RESPONSES) >= {
        "INVALID_API_KEY",
        "MISSING_AUTHENTICATION_TOKEN",
        "BAD_REQUEST_BODY",
        "BAD_REQUEST_PARAMETERS",
        "UNSUPPORTED_MEDIA_TYPE",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
        "QUOTA_EXCEEDED",
        "INTEGRATION_TIMEOUT",
        "INTEGRATION_FAILURE",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
    }


def test_nothing_api_gateway_can_not_import() -> None:
    """Its important notes for REST APIs: shared responses, examples inside schemas, names of models with other signs."""
    assert set(DOCUMENT["components"]) == {"schemas", "securitySchemes"}
    assert all(name.isalnum() for name in DOCUMENT["components"]["schemas"])
    assert "#/components/responses" not in json.dumps(DOCUMENT)
    assert not re.search(
        r'"(example|discriminator|readOnly|anyOf)": ', json.dumps(DOCUMENT["components"]["schemas"])
    )
