"""The Python runtime of a Lambda worker: what AWS calls the runtime interface client.

Run by path with ``-I -S`` (no site-packages) as its own process; speaks MiniStack's line protocol on stdin and stdout. It imports
nothing of ours, so that a function sees only its own files, its layers, the SDK of the runtime and the standard library.
"""

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any


class LambdaContext:
    """The context object of one invocation, with AWS's attribute names."""

    identity = None
    client_context = None

    def __init__(self, init: dict[str, Any], envelope: dict[str, Any]):
        self.function_name = init["function_name"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = str(init["memory"])
        self.invoked_function_arn = envelope.get("invoked_function_arn") or init["arn"]
        self.aws_request_id = envelope.get("request_id", "")
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + envelope["timeout_ms"] / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime kills this invocation, never negative."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def described(error: BaseException, error_type: str | None = None) -> dict[str, Any]:
    """An exception as Lambda reports it: class name without module, message, stack trace."""
    return {
        "errorMessage": str(error),
        "errorType": error_type or type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def load(init: dict[str, Any]) -> Any:
    """Import the handler."""
    module = importlib.import_module(init["module"])
    handler = getattr(module, init["handler"])
    if init.get("snapstart"):
        run_snapstart_hooks()
    return handler


def run_snapstart_hooks() -> None:
    """One snapshot and restore cycle, as a published SnapStart version goes through, if the function bundles the hooks."""
    try:
        from snapshot_restore_py import get_after_restore, get_before_snapshot  # type: ignore[import-not-found]
    except ImportError:
        return
    for hook, arguments, keywords in [*reversed(get_before_snapshot()), *get_after_restore()]:
        hook(*arguments, **keywords)


def answer(handler: Any, init: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Run one invocation; an exception is an answer, never the end of the process."""
    envelope = message.get("ctx") or {}
    if envelope.get("trace_id"):
        os.environ["_X_AMZN_TRACE_ID"] = envelope["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = handler(message["event"], LambdaContext(init, envelope))
    except Exception as error:  # noqa: BLE001 - the runtime reports whatever a handler raises
        traceback.print_exc()
        return {"status": "ok", "result": None, "raised": described(error)}
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        return {"status": "ok", "result": None, "raised": described(error, "Runtime.MarshalError")}
    return {"status": "ok", "result": result}


def main() -> None:
    """Serve invocations until stdin ends."""
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a handler or a C library prints goes to the log
    sys.stdout = sys.stderr

    def send(response: dict[str, Any]) -> None:
        protocol.write(json.dumps(response) + "\n")
        protocol.flush()

    init = json.loads(sys.stdin.readline())
    # AWS's order: the function, its layers, the runtime's SDK, then what Python itself brings.
    sys.path[:0] = [init["code_dir"], *init["layer_paths"], init["runtime_dir"]]
    try:
        handler = load(init)
    except (ImportError, SyntaxError) as error:
        traceback.print_exc()
        kind = (
            "Runtime.UserCodeSyntaxError" if isinstance(error, SyntaxError) else "Runtime.ImportModuleError"
        )
        send({"status": "error", "error": f"{kind}: {error}"})
        return
    except Exception as error:  # noqa: BLE001 - module-level code may raise anything
        traceback.print_exc()
        send({"status": "error", "error": f"{type(error).__name__}: {error}"})
        return
    send({"status": "ready"})
    for line in sys.stdin:
        send(answer(handler, init, json.loads(line)))


if __name__ == "__main__":
    main()
