"""Errors across the boundary between a function and its state machine.

Step Functions knows an error by two texts: ``Error``, the name of the exception's class, on which Retry and Catch
decide, and ``Cause``, for a function a JSON object whose ``errorMessage`` is the exception's text. A stage therefore
raises its expected errors with `GridlakeError.as_dict` as JSON text, and `parse` reads code, message and hint back.
Failures that no code of ours survived (timeout, out of memory, throttling, a broken deployment) get a code here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gridlake.platform.aws_errors import translate
from gridlake.platform.errors import GridlakeError, PermanentError, TransientError

MESSAGE_LIMIT = 1_000
DETAILS_LIMIT = 4_000

_REDRIVE = "redrive the ingestion; if it happens again, {}"

# Name or text that Step Functions and Lambda give -> (code, message, hint). The first that occurs counts.
_KNOWN = (
    (("Task timed out", "Sandbox.Timedout", "States.Timeout", "States.HeartbeatTimeout"),
     "function_timed_out", "the function was stopped at its time limit",
     _REDRIVE.format("raise the function's Timeout")),
    (("Runtime.OutOfMemory", "signal: killed", "OutOfMemory"),
     "out_of_memory", "the function was stopped because it ran out of memory",
     _REDRIVE.format("raise the function's MemorySize")),
    (("Runtime.ExitError", "exited without providing a reason", "exited with error", "signal: "),
     "function_killed", "the function's process ended before it could answer",
     _REDRIVE.format("look at the function's log")),
    (("TooManyRequestsException", "Rate Exceeded", "ConcurrentInvocationLimitExceeded"),
     "throttled", "the function was throttled until the retries were used up",
     _REDRIVE.format("raise its concurrency")),
    (("Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.UserCodeSyntaxError"),
     "broken_deployment", "the function can't start", "deploy again; the function's log names what is missing"),
    (("AccessDenied", "States.Permissions"),
     "access_denied", "the state machine is not allowed to run the stage", "deploy again and check its role"),
    (("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.Unknown"),
     "function_unavailable", "Lambda could not run the function", _REDRIVE.format("check the AWS health page")),
    (("States.DataLimitExceeded",),
     "payload_too_large", "the payload of the state machine is too large", "report it: payloads are bounded"),
)  # fmt: skip


def expected(error: Exception, *, stage: str) -> GridlakeError:
    """Any exception of a stage as one of ours."""
    if isinstance(error, GridlakeError):
        return error
    if isinstance(error, MemoryError):
        return PermanentError(
            f"the stage {stage} ran out of memory",
            code="out_of_memory",
            hint="raise the function's MemorySize",
        )
    if isinstance(error, OSError) and error.errno == 28:
        return PermanentError(
            f"the stage {stage} filled its scratch folder",
            code="scratch_full",
            hint="raise the function's EphemeralStorage, then redrive the ingestion",
        )
    if type(error).__module__.startswith(("botocore.", "boto3.")):
        return translate(
            error, action=f"run the stage {stage}:", resource=getattr(error, "operation_name", "AWS")
        )
    return GridlakeError(
        f"the stage {stage} failed unexpectedly: {type(error).__name__}: {str(error)[:300]}",
        hint="look at the function's log; redrive the ingestion when the cause is gone",
    )


def boundary(error: GridlakeError) -> GridlakeError:
    """The exception to raise from a function so that the state machine understands it.

    Its text is JSON. Retry rules match class names exactly and know nothing of inheritance, so that every kind of
    `TransientError` becomes exactly that; other classes keep their own name.
    """
    body = error.as_dict()
    body["message"] = body["message"][:MESSAGE_LIMIT]
    if len(json.dumps(body.get("details", {}), default=str)) > DETAILS_LIMIT:
        del body["details"]
    text = json.dumps(body, ensure_ascii=False, default=str)
    if isinstance(error, TransientError) and type(error) is not TransientError:
        raised: GridlakeError = TransientError(error.message, code=error.error_code, hint=error.hint)
    else:
        raised = error
    raised.args = (text,)
    return raised


def parse(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Code, message and hint of a Step Functions error.

    Parameters
    ----------
    failure
        ``{"Error": …, "Cause": …}``. The cause is Lambda's JSON or any text.

    Returns
    -------
    dict
        ``code``, ``message``, and where known ``hint`` and ``details``.
    """
    if "code" in failure and "message" in failure:
        return dict(failure)
    name, cause = str(failure.get("Error") or ""), str(failure.get("Cause") or "")
    reported = _json_object(cause)
    text = str(reported.get("errorMessage", cause))
    kind = str(reported.get("errorType") or name)
    ours = _json_object(text)
    if "code" in ours and "message" in ours:
        return {k: ours[k] for k in ("code", "message", "hint", "details") if k in ours}
    for marks, code, message, hint in _KNOWN:
        if any(mark in name or mark in kind or mark in text for mark in marks):
            said = f" ({text[:200]})" if text else ""
            return {"code": code, "message": message + said, "hint": hint}
    shown = text[:MESSAGE_LIMIT] or "no cause was given"
    return {
        "code": GridlakeError.code,
        "message": f"{kind or 'unknown error'}: {shown}",
        "hint": "look at the function's log; redrive the ingestion when the cause is gone",
    }


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
