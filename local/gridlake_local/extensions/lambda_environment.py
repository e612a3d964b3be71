"""A Python function sees what it would see in Lambda, and nothing of the emulator.

Stock: handlers run on the emulator's interpreter with its site-packages and its whole environment, so a missing requirement or a
variable that the template forgot goes unnoticed; the function's files come after its layers on ``sys.path`` (in AWS before);
``/tmp`` is the host's; function and layers are unzipped again for every worker (seconds for the dataframes layer).

Replaces ``core.lambda_runtime._worker_class_for`` for Python runtimes. The SDK of the runtime is boto3 with its own dependencies,
linked one by one from the emulator's environment. Archives are unpacked once per content and shared between workers.
Recursive-loop detection and durable functions of the stock worker are left out: this application has neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

from gridlake_local.extensions import require

WORKER = Path(__file__).with_name("python_worker.py")
SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
KEPT_ARCHIVES = 32  # a deployment of this application has about 17
_unpack_lock = threading.Lock()


def home() -> Path:
    """Folder of unpacked functions, layers and the runtime's SDK."""
    folder = Path(
        os.environ.get("GRIDLAKE_LAMBDA_HOME")
        or Path(tempfile.gettempdir()) / f"gridlake-lambda-{os.getpid()}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpack(archive: bytes) -> Path:
    """Unpack a function or layer archive once per content and return its folder."""
    folder = home() / "archives" / hashlib.sha256(archive).hexdigest()[:32]
    with _unpack_lock:
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=folder.parent))
            with zipfile.ZipFile(io.BytesIO(archive)) as content:
                content.extractall(scratch)  # zipfile drops absolute paths and '..' by itself
            scratch.chmod(0o755)
            scratch.rename(folder)
        os.utime(folder)  # marks the use, see sweep()
    return folder


def sweep() -> None:
    """Remove what workers of a killed server left, and archives that were not used for long."""
    for path in home().iterdir():
        if path.name not in {"archives", "runtime"}:
            shutil.rmtree(path, ignore_errors=True)
    archives = [path for path in (home() / "archives").glob("*") if path.is_dir()]
    archives.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[KEPT_ARCHIVES:]:
        shutil.rmtree(path, ignore_errors=True)


def runtime_sdk() -> Path:
    """Folder with links to boto3 and its dependencies only, as /var/runtime has them."""
    folder = home() / "runtime"
    folder.mkdir(exist_ok=True)
    for name in SDK:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"the emulator's environment lacks {name}; run `make setup`")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        target = folder / source.name
        if not (target.is_symlink() and target.readlink() == source):
            with contextlib.suppress(FileNotFoundError):
                target.unlink()
            with contextlib.suppress(FileExistsError):  # another worker was faster
                target.symlink_to(source)
    return folder


def layer_archives(config: dict[str, Any]) -> list[bytes]:
    """Archives of the function's layers in their order.

    Raises
    ------
    RuntimeError
        A layer version does not exist (any more).
    """
    from ministack.services import lambda_svc

    archives = []
    for layer in config.get("Layers") or []:
        archive = lambda_svc._resolve_layer_zip(layer)
        if not archive:
            raise RuntimeError(
                f"layer {layer if isinstance(layer, str) else layer.get('Arn')} has no content"
            )
        archives.append(archive)
    return archives


def environment(config: dict[str, Any], task_root: Path, scratch: Path) -> dict[str, str]:
    """Environment of a worker: Lambda's own variables and the function's, nothing of the host."""
    from ministack.core import lambda_runtime

    name = config["FunctionName"]
    region = config["FunctionArn"].split(":")[3]
    declared = (config.get("Environment") or {}).get("Variables") or {}
    own = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        lambda_runtime.HOST_PREFIX_ENV: "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        # No X-Ray daemon listens here; without this every call outside a trace logs an error.
        "AWS_XRAY_CONTEXT_MISSING": "IGNORE_ERROR",
    }
    reserved = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": (config.get("LoggingConfig") or {}).get("LogGroup")
        or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
        "LAMBDA_TASK_ROOT": str(task_root),
        "_HANDLER": config["Handler"],
        **lambda_runtime.execution_credentials(config),
    }
    return {**own, **{key: str(value) for key, value in declared.items()}, **reserved}


def apply() -> None:
    """Give Python functions an environment of their own."""
    from ministack.core import lambda_runtime

    stock = require(lambda_runtime, "_worker_class_for", "config")
    require(lambda_runtime.Worker, "_spawn", "self")
    protocol = (
        "init = json.loads(sys.stdin.readline())",
        '"status": "ready"',
        '_ms_msg["event"]',
        '_ms_msg.get("ctx")',
    )
    missing = [part for part in protocol if part not in lambda_runtime._PYTHON_WORKER_SCRIPT]
    assert not missing, f"MiniStack's worker protocol changed: {missing}"

    sweep()

    class PythonWorker(lambda_runtime.Worker):  # type: ignore[misc]
        """A worker process that sees only its function, layers and SDK."""

        _tmpdir: str | None
        _stderr_queue: queue.Queue[str]

        def _spawn(self) -> None:
            if self._tmpdir:
                shutil.rmtree(self._tmpdir, ignore_errors=True)
            self._tmpdir = tempfile.mkdtemp(prefix=f"{self.func_name[:40]}-", dir=home())
            code = unpack(self.code_zip)
            layers = [unpack(archive) for archive in layer_archives(self.config)]
            module, handler = self.config["Handler"].rsplit(".", 1)
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(WORKER)],
                cwd=code,
                env=environment(self.config, code, Path(self._tmpdir)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            self._proc = process
            self._stderr_queue = queue.Queue()
            self._stderr_thread = threading.Thread(target=self._read_stderr, daemon=True)
            self._stderr_thread.start()
            init = {
                "code_dir": str(code),
                "layer_paths": [
                    str(path) for layer in layers for path in (layer / "python", layer) if path.is_dir()
                ],
                "runtime_dir": str(runtime_sdk()),
                "module": module.replace("/", "."),
                "handler": handler,
                "function_name": self.config["FunctionName"],
                "memory": self.config.get("MemorySize", 128),
                "arn": self.config["FunctionArn"],
                "snapstart": (self.config.get("SnapStart") or {}).get("OptimizationStatus") == "On",
            }
            process.stdin.write(json.dumps(init) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            response = (
                json.loads(line)
                if line.startswith("{")
                else {"error": "Runtime.ExitError: the process ended at start"}
            )
            if response.get("status") != "ready":
                lambda_runtime._collect(process, time.monotonic() + 1)
                raise RuntimeError(f"{response['error']}\n{self._drain_stderr_bounded()}")
            self._start_time = time.time()

    def worker_class_for(config: dict[str, Any]) -> Any:
        return PythonWorker if str(config.get("Runtime", "")).startswith("python") else stock(config)

    lambda_runtime._worker_class_for = worker_class_for
