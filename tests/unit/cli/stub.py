"""A small real HTTP server that speaks Gridlake's API and takes uploads like S3."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "a-good-key"
BUCKET = "raw-bucket"


class Stub:
    """State of the server, and what was asked of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.url = ""
        self.requests: list[tuple[str, str, Any]] = []
        self.failures: list[tuple[str, int, dict[str, str], dict[str, Any]]] = []
        """(path prefix, status, headers, body) answered once each, in order."""
        self.records: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.polls: dict[str, int] = {}
        self.tell_version = True
        self.uncatalogued: set[str] = set()
        self.failing: set[str] = set()
        self.never_ending = False
        self.contracts: list[str] = []
        self.verification: dict[str, Any] = {"differences": []}
        self.query: dict[str, Any] = {}

    def received(self, method: str, prefix: str) -> list[Any]:
        """Bodies of the requests of a method and path."""
        return [body for verb, path, body in self.requests if verb == method and path.startswith(prefix)]

    def put(self, key: str, body: bytes) -> str:
        """Take an object; its ingestion ends at the second time it is asked for."""
        with self.lock:
            version = f"v{len(self.objects) + len(self.records)}"
            self.objects[key] = body
            identity = hashlib.sha256(f"{BUCKET}/{key}/{version}".encode()).hexdigest()[:20]
            name = key.rsplit("/", 1)[-1]
            rows = max(body.count(b"\n") - 1, 0)
            self.records[f"ing-{identity}"] = {
                "ingestion_id": f"ing-{identity}", "status": "loaded", "stage": "record", "file": name, "key": key,
                "bucket": BUCKET, "version_id": version, "etag": hashlib.md5(body).hexdigest(), "size": len(body),
                "dataset": "ons_load_hourly", "rows_in": rows, "rows_loaded": rows, "rows_quarantined": 0,
                "quarantine": {}, "points_written": rows, "seconds": 1.5, "attempts": 1,
                "received_at": "2026-11-20T12:00:00+00:00", "error": None, "lineage": {"raw": f"s3://{BUCKET}/{key}"},
            }  # fmt: skip
            record = self.records[f"ing-{identity}"]
            if name in self.uncatalogued:
                record |= {"status": "uncatalogued", "dataset": None, "points_written": 0}
            if name in self.failing:
                error = {"code": "empty_file", "message": f"{name} has no bytes", "hint": "upload it again"}
                record |= {
                    "status": "failed",
                    "rows_in": 0,
                    "rows_loaded": 0,
                    "points_written": 0,
                    "error": error,
                }
            if "partial" in name:
                record |= {
                    "status": "partial", "rows_loaded": rows - 3, "rows_quarantined": 3,
                    "quarantine": {"missing_value": 1, "out_of_range": 2},
                }  # fmt: skip
        return version

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Status and JSON of an API call."""
        parts = path.strip("/").split("/")
        match method, parts:
            case "POST", ["uploads"]:
                key = f"raw/{body.get('publisher', 'uploads')}/{body['filename']}"
                return 201, {"url": f"{self.url}/{BUCKET}/{key}", "method": "PUT", "headers": {}, "key": key}
            case "GET", ["ingestions"]:
                items = [r for r in self.records.values() if query.get("key", [r["key"]])[0] == r["key"]]
                items = [r for r in items if query.get("status", [r["status"]])[0] == r["status"]]
                start, limit = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["20"])[0])
                more = {"next_cursor": str(start + limit)} if start + limit < len(items) else {}
                return 200, {"items": items[start : start + limit], **more}
            case "GET", ["ingestions", identity]:
                self.polls[identity] = self.polls.get(identity, 0) + 1
                if identity not in self.records or self.polls[identity] == 1:
                    return 404, _problem(404, "not_found", "there is no such ingestion")
                record = dict(self.records[identity])
                return 200, record | {
                    "status": "running",
                    "stage": "process",
                } if self.never_ending else record
            case "GET", ["ingestions", identity, "draft"]:
                return 200, {"ingestion_id": identity, "contract": "apiVersion: v3.1.0\nid: transformer\n"}
            case "POST", ["ingestions", identity, "redrive"]:
                record = self.records[identity]
                record |= {
                    "status": "loaded",
                    "attempts": record["attempts"] + 1,
                    "dataset": "transformer",
                    "error": None,
                }
                return 202, {"ingestion_id": identity, "status": "running"}
            case "POST", ["contracts"]:
                self.contracts.append(body["contract"])
                return 201, {"dataset": "transformer", "version": "1.0.0", "status": "registered"}
            case "GET", ["contracts", _]:
                return 200, {"id": "ons_load_hourly"}
            case "GET", ["datasets"]:
                return 200, {"items": [_dataset()]}
            case "GET", ["datasets", "ons_load_hourly"]:
                return 200, _dataset() | {
                    "measures": [{"name": "load_mw", "unit": "MW", "combine": "sum"}],
                    "tags": [{"name": "subsystem", "members": [{"code": "N"}, {"code": "SE"}]}],
                }
            case "GET", ["datasets", _]:
                return 404, _problem(
                    404, "unknown_dataset", "there is no dataset 'ons_lod'", hint="ons_load_hourly?"
                )
            case "POST", ["timeseries", "query"]:
                return 200, self.query
            case "POST", ["verifications"]:
                return 202, {"verification_id": "ver-1", "status": "running"}
            case "GET", ["verifications", _]:
                state = "failed" if "error" in self.verification else "finished"
                more = self.verification if state == "failed" else {"result": self.verification}
                return 200, {"verification_id": "ver-1", "status": state, **more}
        return 404, _problem(404, "unknown_route", "there is no such route")


def _dataset() -> dict[str, Any]:
    return {
        "dataset": "ons_load_hourly", "title": {"en": "Hourly load"}, "publisher": "ons", "kind": "series",
        "status": "active", "contract_version": "1.0.0", "zone": "America/Sao_Paulo", "interval": "PT1H",
        "rows": 35136, "start": "2024-01-01T00:00:00-03:00", "end": "2024-12-31T23:00:00-03:00",
    }  # fmt: skip


def _problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **more}


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if parts.path.startswith(f"/{BUCKET}/"):
                stub.requests.append(("STORE", parts.path, dict(self.headers)))
                version = stub.put(unquote(parts.path.removeprefix(f"/{BUCKET}/")), raw)
                told = {"x-amz-version-id": version} if stub.tell_version else {}
                self._send(200, b"", {"etag": f'"{hashlib.md5(raw).hexdigest()}"', **told})
                return
            path = parts.path.removeprefix("/v1")
            body = json.loads(raw) if raw else None
            with stub.lock:
                stub.requests.append((self.command, path, body))
                planned = next((f for f in stub.failures if path.startswith(f[0])), None)
                if planned:
                    stub.failures.remove(planned)
            if planned:
                self._send(planned[1], planned[3], planned[2])
            elif self.headers.get("x-api-key") != KEY:
                self._send(403, {"message": "Forbidden"})
            elif path.startswith("/contracts/") and "yaml" in parts.query:
                self._send(200, b"id: ons_load_hourly\n", {"content-type": "application/yaml"})
            else:
                self._send(*stub.answer(self.command, path, parse_qs(parts.query), body))

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 names of the base class

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    return Handler


@contextmanager
def serving() -> Iterator[Stub]:
    """A running stub."""
    stub = Stub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
