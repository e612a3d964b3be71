"""The API functions as they are deployed: real handlers, storage on moto, a real InfluxDB."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from gridlake.api import services, uploads
from gridlake.platform.clients import client
from gridlake_local.influx import InfluxInfo
from tests.servers import InfluxDatabase
from tests.unit.aws_environment import Application, LambdaContext, application

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())
ROLE = "arn:aws:iam::123456789012:role/states"
DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


def resolved(node: Any) -> Any:
    """A part of the document with its references replaced by what they mean."""
    if isinstance(node, dict):
        if "$ref" in node:
            target: Any = DOCUMENT
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            return resolved(target)
        return {name: resolved(value) for name, value in node.items()}
    return [resolved(item) for item in node] if isinstance(node, list) else node


def load(function: str) -> Any:
    """The module of a function's handler."""
    spec = importlib.util.spec_from_file_location(f"{function}_app", ROOT / "functions" / function / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OWNERS = {
    "/health": "api_health",
    "/datasets": "api_datasets",
    "/contracts": "api_contracts",
    "/uploads": "api_uploads",
    "/ingestions": "api_ingestions",
    "/timeseries": "api_query",
    "/verifications": "api_verifications",
}


class Answer:
    """What a handler answered."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.status: int = raw["statusCode"]
        self.text: str = raw["body"]
        headers = {name.lower(): values for name, values in raw["multiValueHeaders"].items()}
        self.type: str = headers["content-type"][0]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """Calls handlers with the events of API Gateway and holds every answer against the OpenAPI document."""

    def __init__(self, storage: Application) -> None:
        self.storage = storage
        self.settings = storage.settings

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        raw: bool = False,
        base64: bool = False,
    ) -> Answer:
        event = {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": {"content-type": content_type},
            "multiValueHeaders": {"content-type": [content_type]},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
            "requestContext": {"path": f"/v1{path}", "requestId": "request-1", "stage": "v1"},
            "body": body if raw or body is None else json.dumps(body),
            "isBase64Encoded": base64,
        }
        function = load(OWNERS["/" + path.split("/")[1]])
        answer = Answer(function.handler(event, LambdaContext()))
        fits_document(method, path, answer)
        return answer


def template_of(path: str) -> str | None:
    """The path of the document that a request's path belongs to."""
    parts = path.split("/")
    for known in DOCUMENT["paths"]:
        names = known.split("/")
        if len(names) == len(parts) and all(
            n == p or n[:1] == "{" for n, p in zip(names, parts, strict=True)
        ):
            return str(known)
    return None


def fits_document(method: str, path: str, answer: Answer) -> None:
    template = template_of(path)
    operation = DOCUMENT["paths"].get(template, {}).get(method.lower())
    if operation is None:
        assert answer.status == 404
        return
    responses = resolved(operation["responses"])
    assert str(answer.status) in responses, f"{method} {path} answers {answer.status}: {answer.text}"
    content = responses[str(answer.status)]["content"]
    assert answer.type in content, (answer.type, list(content))
    schema = content[answer.type]["schema"]
    OAS30Validator(schema).validate(answer.text if "json" not in answer.type else answer.json)


@pytest.fixture(scope="session")
def influx(influx_database: InfluxDatabase) -> InfluxInfo:
    return influx_database("api")


@pytest.fixture
def api(influx: InfluxInfo) -> Iterator[Api]:
    machines = {
        f"{name.upper()}_STATE_MACHINE_ARN": f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
        for name in ("ingestion", "verification")
    }
    variables = machines | {
        "GRIDLAKE_ENV": "test",
        "INFLUX_URL": influx.url,
        "INFLUX_DATABASE": influx.database,
        "INFLUX_SECRET_ARN": f"influx-{influx.url}",
    }
    with application(**variables) as storage, mock.patch.dict("os.environ", storage.settings.variables):
        for name in ("ingestion", "verification"):
            client("stepfunctions").create_state_machine(name=name, definition=DEFINITION, roleArn=ROLE)
        secret = {"username": influx.username, "password": influx.password}
        client("secretsmanager").create_secret(
            Name=variables["INFLUX_SECRET_ARN"], SecretString=json.dumps(secret)
        )
        uploads._client.cache_clear()
        yield Api(storage)
        uploads._client.cache_clear()
        services._handlers.clear()
