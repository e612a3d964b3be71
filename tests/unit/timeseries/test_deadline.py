"""Requests end before somebody who waits for the answer gives up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gridlake.timeseries.deadline import finishing_within
from gridlake.timeseries.errors import InfluxUnavailableError
from gridlake.timeseries.handler import InfluxDBHandler


@pytest.fixture
def silent() -> Iterator[tuple[InfluxDBHandler, list[float]]]:
    """A server that takes connections and never answers, with the moments it was asked."""
    asked: list[float] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        held = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                asked.append(time.monotonic())

        threading.Thread(target=take, daemon=True).start()
        port = server.getsockname()[1]
        yield (
            InfluxDBHandler(url=f"http://127.0.0.1:{port}", database="d", budget=3.0, read_timeout=20.0),
            asked,
        )
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_that_does_not_answer_is_asked_once_and_in_time(
    silent: tuple[InfluxDBHandler, list[float]],
) -> None:
    handler, asked = silent
    began = time.monotonic()
    with finishing_within(1.0), pytest.raises(InfluxUnavailableError):
        handler.query("SHOW MEASUREMENTS")
    assert 0.5 < time.monotonic() - began < 1.3
    assert len(asked) == 1


def test_no_request_begins_when_the_time_is_over(silent: tuple[InfluxDBHandler, list[float]]) -> None:
    handler, asked = silent
    with finishing_within(0.0), pytest.raises(InfluxUnavailableError) as caught:
        handler.query("SHOW MEASUREMENTS")
    assert caught.value.error_code == "influx_timed_out"
    assert asked == []


def test_what_refuses_connections_is_tried_again_for_a_while_only() -> None:
    handler = InfluxDBHandler(url="http://127.0.0.1:1", database="d", budget=3.0, read_timeout=20.0)
    began = time.monotonic()
    with finishing_within(1.6), pytest.raises(InfluxUnavailableError):
        handler.query("SHOW MEASUREMENTS")
    assert time.monotonic() - began < 1.0
