"""Request validation of an API that is defined by an OpenAPI document.

Stock: importing a document drops ``x-amazon-apigateway-request-validators``, the schemas and the required parameters, so a bad request
reaches the handler. The validation itself is there.

Wraps ``apigateway_v1._import_rest_api``: creates the validators and models of the document and attaches them to the methods.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gridlake_local.extensions import require

METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
PLACES = {"query": "querystring", "header": "header", "path": "path"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
    """Path, method, operation and all its parameters (the path's included), references resolved."""
    shared = (document.get("components") or {}).get("parameters") or {}

    def resolved(parameter: dict[str, Any]) -> dict[str, Any]:
        reference = parameter.get("$ref", "")
        return shared.get(reference.rsplit("/", 1)[-1], {}) if reference else parameter

    for path, item in (document.get("paths") or {}).items():
        for method, operation in item.items():
            if method.lower() in METHODS:
                parameters = [*(item.get("parameters") or []), *(operation.get("parameters") or [])]
                yield path, method.upper(), operation, [resolved(parameter) for parameter in parameters]


def model_of(operation: dict[str, Any], path: str, method: str) -> tuple[str, dict[str, Any]] | None:
    """Name and schema of the JSON body of an operation; None when it declares none."""
    content = (operation.get("requestBody") or {}).get("content") or {}
    schema = (content.get("application/json") or {}).get("schema")
    if not schema:
        return None
    name = schema["$ref"].rsplit("/", 1)[-1] if "$ref" in schema else f"{method}{path}"
    return "".join(c for c in name if c.isalnum()), schema


def inlined(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A schema that stands alone: the document's components beside it, where its references point."""
    return {"components": document.get("components") or {}, **schema}


def apply() -> None:
    """Attach validators, models and required parameters while a document is imported."""
    from ministack.services import apigateway_v1

    stock = require(apigateway_v1, "_import_rest_api", "spec", "base_data")
    require(apigateway_v1, "_create_request_validator", "api_id", "data")
    require(apigateway_v1, "_create_model", "api_id", "data")

    def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
        api_id: str = stock(spec, base_data)
        validators = {}
        for name, rule in (spec.get("x-amazon-apigateway-request-validators") or {}).items():
            _status, _headers, body = apigateway_v1._create_request_validator(api_id, {"name": name, **rule})
            validators[name] = json.loads(body)["id"]
        resources = {item["path"]: item for item in apigateway_v1._resources[api_id].values()}
        for path, method, operation, parameters in operations(spec):
            target = resources[path]["resourceMethods"][method]
            chosen = operation.get(
                "x-amazon-apigateway-request-validator", spec.get("x-amazon-apigateway-request-validator")
            )
            target["requestValidatorId"] = validators.get(chosen)
            target["requestParameters"] = {
                f"method.request.{PLACES[parameter['in']]}.{parameter['name']}": bool(
                    parameter.get("required")
                )
                for parameter in parameters
                if parameter.get("in") in PLACES
            }
            model = model_of(operation, path, method)
            if model:
                name, schema = model
                document = json.dumps(inlined(schema, spec))
                apigateway_v1._create_model(api_id, {"name": name, "schema": document})
                target["requestModels"] = {"application/json": name}
        return api_id

    apigateway_v1._import_rest_api = import_rest_api
