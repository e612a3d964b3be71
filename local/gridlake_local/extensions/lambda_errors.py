"""A function's exception reaches its caller under its own class name.

Stock: every exception is ``Runtime.HandlerError``, so ``Retry`` and ``Catch`` by class name never match, and the worker is killed
after each one, so a retry pays a cold start. A process that dies (killed, out of memory) has the same name.

Replaces ``core.lambda_runtime.Worker.invoke`` (keeps the answer) and ``services.lambda_svc._execute_function_warm`` (turns it into
Lambda's error document). The worker of ``lambda_environment`` answers an exception as a ``raised`` member and lives on.
"""

from __future__ import annotations

import re
import threading
from typing import Any

from gridlake_local.extensions import require

INIT_ERROR = re.compile(r"^([A-Za-z_][\w.]*): (.*)", re.DOTALL)


def apply() -> None:
    """Report exceptions as Lambda does."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    invoke = require(lambda_runtime.Worker, "invoke", "self", "event", "request_id")
    execute = require(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
    last = threading.local()

    def remember(self: Any, *args: Any, **kwargs: Any) -> Any:
        last.answer = None
        last.answer = invoke(self, *args, **kwargs)
        return last.answer

    def report(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        last.answer = None
        result: dict[str, Any] = execute(func, event, request_id)
        answer = last.answer or {}
        if raised := answer.get("raised"):
            return {"body": {**raised, "requestId": request_id}, "error": True, "log": answer.get("log", "")}
        body = result.get("body")
        if result.get("error") and isinstance(body, dict):
            if answer.get("error") in {"Worker process died", "Worker returned no response"}:
                body.update(
                    errorType="Runtime.ExitError",
                    errorMessage=f"RequestId: {request_id} Error: Runtime exited without providing a reason",
                )
            elif not answer and body.get("errorType") == "RuntimeError":
                named = INIT_ERROR.match(body["errorMessage"])
                if named:
                    message, _, log = named[2].partition("\n")
                    body.update(errorType=named[1], errorMessage=message)
                    result["log"] = log
        return result

    lambda_runtime.Worker.invoke = remember
    lambda_svc._execute_function_warm = report
