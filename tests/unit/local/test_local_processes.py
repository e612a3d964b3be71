"""Recorded processes and chosen ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time

import pytest

from gridlake_local import ports, processes
from gridlake_local.processes import Process

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


def start(tmp_path, command=SLEEP):
    return processes.start(
        command, environment=dict(os.environ), folder=tmp_path, log=tmp_path / "logs" / "x.log"
    )


def test_a_recorded_process_is_recognised_and_stopped(tmp_path):
    process = start(tmp_path)
    processes.remember(tmp_path / "pid", process)
    assert processes.recall(tmp_path / "pid") == process
    process.stop()
    assert not process.alive()
    assert processes.recall(tmp_path / "pid") is None
    assert not (tmp_path / "pid").exists(), "a stale record goes away"


def test_a_recycled_pid_is_never_taken_for_ours(tmp_path):
    stranger = start(tmp_path)
    try:
        ours = Process(stranger.pid, "1")
        assert not ours.alive()
        ours.stop()
        assert stranger.alive(), "the stranger was stopped in our process's place"
    finally:
        stranger.stop()


def test_a_process_that_ignores_politeness_is_killed(tmp_path):
    process = start(tmp_path, STUBBORN)
    log = tmp_path / "logs" / "x.log"
    while "ready" not in log.read_text():
        pass
    process.stop(seconds=0.3)
    assert not process.alive()


def test_a_killed_child_counts_as_gone(tmp_path):
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)
    assert not process.alive()
    process.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"pid": 1})])
def test_a_broken_record_is_no_process(tmp_path, text):
    (tmp_path / "pid").write_text(text)
    assert processes.recall(tmp_path / "pid") is None


def test_the_tail_of_a_missing_log_is_empty(tmp_path):
    assert processes.tail(tmp_path / "none") == ""


@pytest.fixture
def taken(monkeypatch):
    monkeypatch.setattr(ports, "PATIENCE_SECONDS", 0.1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_passed_over(taken, monkeypatch):
    monkeypatch.delenv("SOME_PORT", raising=False)
    assert ports.choose("SOME_PORT", taken) > taken


def test_the_remembered_port_is_kept_while_it_is_free(taken, monkeypatch):
    monkeypatch.delenv("SOME_PORT", raising=False)
    free = ports.choose("SOME_PORT", 20_000)
    assert ports.choose("SOME_PORT", 30_000, remembered=free) == free
    assert ports.choose("SOME_PORT", 30_000, remembered=taken) != taken


@pytest.mark.parametrize("value", ["x", "0", "70000"])
def test_a_port_that_is_no_port_is_refused(value, monkeypatch):
    monkeypatch.setenv("SOME_PORT", value)
    with pytest.raises(ports.PortTakenError, match="SOME_PORT"):
        ports.choose("SOME_PORT", 20_000)


def test_a_fixed_port_that_is_taken_is_an_error_and_not_another_port(taken, monkeypatch):
    monkeypatch.setenv("SOME_PORT", str(taken))
    with pytest.raises(ports.PortTakenError, match="SOME_PORT"):
        ports.choose("SOME_PORT", 20_000)


def test_two_that_start_at_once_never_take_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDLAKE_TEST_PORT", raising=False)
    begin, listening = threading.Barrier(4), []

    def start() -> None:
        begin.wait()
        with ports.claiming():
            port = ports.choose("GRIDLAKE_TEST_PORT", 21_500)
            time.sleep(0.05)
            server = socket.socket()
            server.bind(("127.0.0.1", port))
            server.listen()
            listening.append(server)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [server.getsockname()[1] for server in listening]
    for server in listening:
        server.close()
    assert len(set(taken)) == 4, taken
