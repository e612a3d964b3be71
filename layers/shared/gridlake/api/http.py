"""The HTTP side of every API function: routing, bounded JSON bodies, RFC 9457 problems.

Requests are validated here again although API Gateway validates them: not every deployment has it in front.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError

from gridlake.platform.aws_errors import translate
from gridlake.platform.errors import GridlakeError, InvalidRequestError, TransientError
from gridlake.platform.observability import Handler, lambda_entry, logger

PROBLEM = "application/problem+json"
JSON = "application/json"
YAML = "application/yaml"

MAX_BODY_BYTES = 64 * 1024
"""Largest JSON body that is read."""

_SHOWN = ("pointer", "allowed", "suggestions", "problems", "retry_after")
"""Details of an error that a client may see; the others may hold names of our resources."""

_OURS = frozenset(
    {
        "access_denied",
        "aws_refused",
        "bucket_missing",
        "resource_missing",
        "invalid_influx_secret",
        "influx_credentials_refused",
        "influx_refused",
        "invalid_setting",
    }
)
"""Codes that mean our deployment is at fault, whatever their status: the client learns no more than the code."""


class BodyTooLargeError(InvalidRequestError):
    """The body of a request exceeds what the route reads."""

    code = "body_too_large"
    status = 413


def rest_api() -> APIGatewayRestResolver:
    """A router whose every failure is a problem document, never a stack trace."""
    app = APIGatewayRestResolver()
    app.exception_handler(Exception)(lambda error: problem(app, error))
    app.not_found(lambda error: problem(app, error))
    return app


def entry(app: APIGatewayRestResolver) -> Handler:
    """The Lambda handler of a router."""

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return app.resolve(event, context)

    return lambda_entry(handle, correlation_id_path="requestContext.requestId")  # type: ignore[no-any-return]


def answer(body: Any, status: int = 200) -> Response[str]:
    """A JSON answer."""
    return Response(
        status_code=status, content_type=JSON, body=json.dumps(body, ensure_ascii=False, default=str)
    )


def text_answer(text: str, content_type: str) -> Response[str]:
    """An answer that is text."""
    return Response(status_code=200, content_type=content_type, body=text)


def body_text(app: APIGatewayRestResolver, *, maximum: int = MAX_BODY_BYTES) -> str:
    """The body as text.

    Raises
    ------
    BodyTooLargeError
        It has more than `maximum` bytes.
    InvalidRequestError
        It is not UTF-8.
    """
    event = app.current_event
    text = event.body or ""
    # Base64 has 4 characters for 3 bytes: too long a text is refused before it is decoded.
    if len(text) > maximum * 2:
        raise _too_large(len(text), maximum)
    if event.is_base64_encoded:
        try:
            text = base64.b64decode(text, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidRequestError("the body is not UTF-8 text") from error
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > maximum:
        raise _too_large(size, maximum)
    return text


def json_body(
    app: APIGatewayRestResolver, *, maximum: int = MAX_BODY_BYTES, optional: bool = False
) -> dict[str, Any]:
    """The body as a JSON object.

    Raises
    ------
    BodyTooLargeError
        It has more than `maximum` bytes.
    InvalidRequestError
        It is not a JSON object, or absent and not `optional`.
    """
    text = body_text(app, maximum=maximum)
    if not text.strip():
        if optional:
            return {}
        raise InvalidRequestError("the request has no body", hint="send a JSON object")
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise InvalidRequestError(f"the body is not JSON{where}", hint="send a JSON object") from error
    if not isinstance(body, dict):
        raise InvalidRequestError("the body is JSON, but not an object", hint='send {"name": value, …}')
    if "\\ud" in text.lower():
        _refuse_lone_surrogates(body)
    return body


def only(body: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    """Refuse names in a body that the route does not know, since a misspelt one would be ignored silently.

    Raises
    ------
    InvalidRequestError
        There is one; the message names it.
    """
    for name in body:
        if name not in allowed:
            raise InvalidRequestError(
                f"the body has an unknown name {name[:64]!r}",
                pointer=f"/{name[:64]}",
                allowed=list(allowed),
                hint=f"known names: {', '.join(allowed)}",
            )


def optional_text(body: Mapping[str, Any], name: str, *, maximum: int) -> str | None:
    """A text of the body, None when absent.

    Raises
    ------
    InvalidRequestError
        It is something else, empty, or longer than `maximum` characters.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > maximum:
        raise InvalidRequestError(f"{name} must be a text of 1 to {maximum} characters", pointer=f"/{name}")
    return value


def problem(app: APIGatewayRestResolver, error: Exception) -> Response[str]:
    """RFC 9457 problem of an error; what is not an expected failure is logged and told without details."""
    status, body = _describe(error)
    event = app.current_event
    instance = event.request_context.path or event.path
    full: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status} | body
    full |= {"instance": instance, "request_id": event.request_context.request_id}
    headers: dict[str, str | list[str]] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(int(full.get("retry_after") or 5))
    text = json.dumps({k: v for k, v in full.items() if v is not None}, ensure_ascii=False, default=str)
    text = text.encode("utf-8", "replace").decode("utf-8")
    return Response(status_code=status, content_type=PROBLEM, body=text, headers=headers)


def _describe(error: Exception) -> tuple[int, dict[str, Any]]:
    if isinstance(error, GridlakeError):
        return _describe_expected(error)
    if isinstance(error, ServiceError):
        code = "unknown_route" if error.status_code == HTTPStatus.NOT_FOUND else "invalid_request"
        hint = "the routes are in the OpenAPI document" if code == "unknown_route" else None
        detail = "there is no such route" if code == "unknown_route" else str(error.msg)
        return int(error.status_code), {"code": code, "detail": detail, "hint": hint}
    return _describe_unexpected(error)


def _describe_expected(error: GridlakeError) -> tuple[int, dict[str, Any]]:
    if error.status >= 500 or error.error_code in _OURS:
        logger.warning("the request failed", extra={"code": error.error_code, "reason": error.message})
    if error.error_code in _OURS or error.status == 500:
        return 500, {
            "code": error.error_code,
            "detail": "the platform is misconfigured",
            "hint": "tell the operator the request_id; the log says what is missing",
        }
    if isinstance(error, TransientError):
        wait = getattr(error, "retry_after", None)
        return error.status, {
            "code": error.error_code,
            "detail": "a service behind the API does not answer",
            "hint": "try again in a few seconds",
        } | ({"retry_after": wait} if wait else {})
    shown = {name: error.details[name] for name in _SHOWN if name in error.details}
    return error.status, {"code": error.error_code, "detail": error.message, "hint": error.hint} | shown


def _describe_unexpected(error: Exception) -> tuple[int, dict[str, Any]]:
    logger.exception("unexpected failure")
    if hasattr(error, "response") or type(error).__module__.startswith(("botocore", "urllib3")):
        return _describe_expected(translate(error, action="use", resource="a service behind the API"))
    return 500, {
        "code": "internal_error",
        "detail": "something went wrong on our side; it is recorded under the request_id",
    }


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _too_large(size: int, maximum: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body has {size:,} bytes; at most {maximum:,} are read")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _refuse_lone_surrogates(body: dict[str, Any]) -> None:
    """Half a surrogate pair can be written as an escape in JSON, but no AWS call takes it."""
    try:
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError("the body holds half a character (a lone surrogate)") from error
