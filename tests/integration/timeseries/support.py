"""Builders and small servers shared by the tests of the time series room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Role
from gridlake.timeseries.credentials import Credentials
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake_local.influx import InfluxInfo

SilverRow = tuple[str, str | None, float | None, float | None]
"""ISO time, subsystem, load, price."""


def handler_of(info: InfluxInfo, *, budget: float = 5.0) -> InfluxDBHandler:
    return InfluxDBHandler(
        url=info.url,
        database=info.database,
        credentials=Credentials(info.username, info.password),
        budget=budget,
    )


def contract_named(dataset: str, *, max_series: int = 100) -> Contract:
    number = ColumnType.NUMBER
    return Contract(
        dataset=dataset,
        version="1.0.0",
        publisher="test",
        kind=Kind.SERIES,
        title={"en": dataset},
        columns=(
            Column(name="subsystem", role=Role.TAG, key=True),
            Column(name="load_mw", role=Role.FIELD, type=number, unit="MW"),
            Column(name="price_brl_mwh", role=Role.FIELD, type=number, unit="BRL/MWh"),
        ),
        max_series=max_series,
    )


def hours(count: int, *, month: str = "2024-01", first: float = 100.0) -> list[SilverRow]:
    """Hourly rows of one subsystem, `load_mw` counting up from `first`."""
    start = np.datetime64(f"{month}-01T00:00:00")
    return [(str(start + np.timedelta64(i, "h")), "NE", first + i, 1.5 * i) for i in range(count)]


@dataclass
class Request:
    """One request that the stub server got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Stub:
    """A server that answers as told, in order, and then always with the last answer."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]]
    requests: list[Request] = field(default_factory=list)


@contextmanager
def stub_server(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Stub]:
    """Serve canned answers and record what was asked: the wire format of servers that can't run here."""
    lock = threading.Lock()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            with lock:
                stub.requests.append(
                    Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
                )
                status, headers, answer = stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    stub = Stub(f"http://127.0.0.1:{server.server_address[1]}", list(answers))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
