"""Servers that outlive the command which started them: record, recognise, stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process and the moment it began, so that a recycled pid is never taken for it.

    Attributes
    ----------
    pid
        Also the id of its process group and session.
    began
        Start time in clock ticks since boot, from /proc.
    """

    pid: int
    began: str

    def alive(self) -> bool:
        """Whether this very process runs (a zombie does not)."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return began(self.pid) == self.began

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the process politely and its group by force, and wait until it is gone."""
        if not self.alive():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        # Workers are in the same group and may linger; the leader may have ignored SIGTERM.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        while self.alive():
            time.sleep(0.05)


def began(pid: int) -> str | None:
    """Start time of a process as /proc says it; None for no process or a zombie."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else after_name[19]


def start(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> Process:
    """Start a server in its own session, its output appended to a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process(child.pid, began(child.pid) or "")


def remember(path: Path, process: Process) -> None:
    """Write the record of a process."""
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(asdict(process)))
    aside.replace(path)


def recall(path: Path) -> Process | None:
    """The recorded process if it still runs; a stale record is removed."""
    try:
        process = Process(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if process.alive():
        return process
    path.unlink(missing_ok=True)
    return None


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
