"""Errors of the gateway itself in the shape that the API's OpenAPI document gives them.

Stock: importing a document drops ``x-amazon-apigateway-gateway-responses``, so a refused key or body is API Gateway's own
``{"message": …}``. Customised responses are there, but render only some of the ``$context`` variables. A body of another media type than
those with a model is held against the model of ``application/json``; API Gateway does not validate it.

Wraps ``apigateway_v1._import_rest_api`` (stores the responses of the document), ``_execute_in_scope`` (remembers method and path),
``_check_request_validation`` (says what is wrong with a body) and ``_gateway_error_response`` (renders the variables that are left).
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from gridlake_local.extensions import IncompatibleEmulatorError, require

LEFT = re.compile(
    r"\$(?:context\.(error\.validationErrorString|path|httpMethod)\b|\{context\.([A-Za-z.]+)\})"
)


def violations(schema: dict[str, Any], body: bytes) -> str:
    """What is wrong with a JSON body, as ``[first, second]``; API Gateway's own words differ."""
    import jsonschema

    try:
        document = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return "[the body is not JSON]"
    checker = jsonschema.validators.validator_for(schema, default=jsonschema.Draft4Validator)(schema)
    found = sorted(checker.iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    return "[" + ", ".join(f"{error.json_path}: {error.message[:200]}" for error in found[:5]) + "]"


def apply() -> None:
    """Import gateway responses and render them."""
    from ministack.services import apigateway_v1

    importing = require(apigateway_v1, "_import_rest_api", "spec", "base_data")
    require(apigateway_v1, "_put_gateway_response", "api_id", "response_type", "data")
    require(apigateway_v1, "_model_schema", "api_id", "model_name")
    require(apigateway_v1, "_header_ci", "headers", "name")
    execute = require(
        apigateway_v1,
        "_execute_in_scope",
        "request",
        "api_id",
        "stage_name",
        "method",
        "path",
        "headers",
        "body",
    )
    check = require(
        apigateway_v1, "_check_request_validation", "method_obj", "api_id", "request", "headers", "body"
    )
    render = require(apigateway_v1, "_gateway_error_response", "error", "request")

    def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
        api_id: str = importing(spec, base_data)
        for name, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
            status, _headers, body = apigateway_v1._put_gateway_response(api_id, name, response)
            if status >= 400:
                raise IncompatibleEmulatorError(f"gateway response {name}: {body!r}")
        return api_id

    async def execute_in_scope(
        request: dict[str, Any], api_id: str, stage: str, method: str, path: str, *rest: Any
    ) -> Any:
        request["context.path"] = quote(f"/{stage}/{path.lstrip('/')}", safe="/%:@!$&'()*+,;=~")
        request["context.httpMethod"] = method
        return await execute(request, api_id, stage, method, path, *rest)

    def check_request(
        method: dict[str, Any], api_id: str, request: dict[str, Any], headers: Any, body: Any, *rest: Any
    ) -> Any:
        sent = apigateway_v1._header_ci(headers, "content-type").split(";", 1)[0].strip().lower()
        if sent and sent not in (method.get("requestModels") or {}):
            method = {**method, "requestModels": {}}
        error = check(method, api_id, request, headers, body, *rest)
        if error is not None and error.response_type == "BAD_REQUEST_BODY":
            schema = apigateway_v1._model_schema(api_id, method["requestModels"]["application/json"])
            request["context.error.validationErrorString"] = violations(schema, body)
        elif error is not None:
            request["context.error.validationErrorString"] = error.message
        return error

    def gateway_error_response(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = render(error, request)

        def value(match: re.Match[str]) -> str:
            name = f"context.{match[1] or match[2]}"
            text = request.get(name, "")
            return json.dumps(text, ensure_ascii=False)[1:-1]

        return status, headers, LEFT.sub(value, body.decode()).encode()

    apigateway_v1._import_rest_api = import_rest_api
    apigateway_v1._execute_in_scope = execute_in_scope
    apigateway_v1._check_request_validation = check_request
    apigateway_v1._gateway_error_response = gateway_error_response
