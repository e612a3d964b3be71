"""Upload files, wait for what becomes of each, report."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gridlake_cli.client import Api
from gridlake_cli.errors import UNUSABLE, ApiError, CommandError
from gridlake_cli.upload import Uploaded, Uploader

FINAL = frozenset({"loaded", "partial", "uncatalogued", "failed", "superseded"})
WORKERS = 8
CLOCK_SLACK = 60
"""Seconds by which the clock of the platform may be behind ours."""
ASKED_SINGLY = 8
"""Up to so many pending ingestions are asked for one by one; more are looked up in the listing."""

Listener = Callable[["Job"], None]


@dataclass
class Job:
    """One file of the run, and the ingestion it became."""

    path: Path
    size: int = 0
    sent: int = 0
    stage: str = "waiting"
    uploaded: Uploaded | None = None
    ingestion_id: str | None = None
    record: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    status: str = "received"

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.error is not None or self.status in FINAL


def report(job: Job) -> dict[str, Any]:
    """What ``ingest --json`` prints for a file. Counts are rows."""
    record = job.record
    quarantine = [
        {"reason": reason, "count": int(count)}
        for reason, count in sorted(counts(record).items(), key=lambda entry: (-entry[1], entry[0]))
    ]
    return {
        "file": str(job.path),
        "ingestion_id": job.ingestion_id,
        "status": job.status,
        "stage": record.get("stage"),
        "dataset": record.get("dataset"),
        "contract_version": record.get("contract_version"),
        "rows_in": record.get("rows_in") or 0,
        "rows_loaded": record.get("rows_loaded") or 0,
        "rows_quarantined": record.get("rows_quarantined") or 0,
        "quarantine": quarantine,
        "points_written": record.get("points_written") or 0,
        "seconds": record.get("seconds"),
        "unchanged": bool(record.get("unchanged")),
        "attempts": record.get("attempts"),
        "warnings": record.get("warnings") or [],
        "notices": record.get("notices") or [],
        "lineage": record.get("lineage") or {},
        "error": job.error or record.get("error") or None,
    }


def counts(record: dict[str, Any]) -> dict[str, int]:
    """Quarantined rows by reason, whether the ledger keeps them as an object or as a list."""
    kept = record.get("quarantine") or {}
    if isinstance(kept, dict):
        return {reason: int(count) for reason, count in kept.items()}
    return {entry["reason"]: int(entry["count"]) for entry in kept}


class Ingestor:
    """Runs files through the platform.

    Parameters
    ----------
    timeout
        Seconds to wait, after the last upload, until every file has come to an end.
    listen
        Called at every change of a job, from several threads.
    """

    def __init__(
        self,
        api: Api,
        *,
        publisher: str | None = None,
        timeout: float = 900.0,
        listen: Listener = lambda _: None,
    ) -> None:
        self._api = api
        self._publisher = publisher
        self._timeout = timeout
        self._listen = listen
        self._stop = threading.Event()

    def run(self, files: Sequence[Path], *, wait: bool = True) -> list[Job]:
        """Upload `files` and wait for each; the jobs come in the order of `files`.

        A file that could not be uploaded is a failed job and does not stop the others.

        Raises
        ------
        CommandError
            Nothing could be uploaded because the platform does not answer or the key is wrong.
        """
        jobs = [Job(path, path.stat().st_size) for path in files]
        started = datetime.now(UTC)
        uploader = Uploader(self._api, publisher=self._publisher)
        by_name: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            by_name[job.path.name].append(job)
        unusable: list[CommandError] = []

        def send(same_name: list[Job]) -> None:
            # Files of one name go to one key: in their order, so that the last given is the one that stays.
            for job in same_name:
                if self._stop.is_set():
                    return
                problem = self._upload(uploader, job)
                if problem:
                    unusable.append(problem)

        try:
            with ThreadPoolExecutor(WORKERS, thread_name_prefix="upload") as pool:
                try:
                    list(pool.map(send, by_name.values()))
                except BaseException:
                    self._stop.set()
                    raise
        finally:
            uploader.close()
        if unusable and len(unusable) == len(jobs):
            raise unusable[0]
        if wait:
            self.wait([job for job in jobs if not job.done], since=started)
        return jobs

    def wait(self, jobs: Sequence[Job], *, since: datetime) -> None:
        """Poll until every job is done or the time is over."""
        pending = list(jobs)
        deadline = time.monotonic() + self._timeout
        pause = 0.3
        while pending:
            self._refresh(pending, since)
            still = [job for job in pending if not job.done]
            # Slow down while nothing moves, speed up when something does.
            pause = min(pause * 1.3, 3.0) if len(still) == len(pending) else 0.5
            pending = still
            if not pending:
                return
            if time.monotonic() > deadline:
                for job in pending:
                    self._give_up(job)
                return
            time.sleep(min(pause * random.uniform(0.8, 1.2), max(0.0, deadline - time.monotonic()) + 0.05))

    def _upload(self, uploader: Uploader, job: Job) -> CommandError | None:
        """Upload one file; returns the error if it is one of the platform and not of the file."""
        job.stage = "uploading"

        def progress(sent: int) -> None:
            job.sent = sent
            self._listen(job)

        try:
            job.uploaded = uploader.upload(job.path, progress)
        except CommandError as error:
            job.error, job.status = error.as_dict(), "failed"
            self._listen(job)
            if error.exit_code == UNUSABLE and not (isinstance(error, ApiError) and error.status == 400):
                self._stop.set()
                return error
            return None
        except OSError as error:
            text = f"{job.path} can't be read: {error.strerror or error}."
            job.error, job.status = {"code": "unreadable", "message": text}, "failed"
            self._listen(job)
            return None
        job.ingestion_id = job.uploaded.ingestion_id
        job.sent, job.stage = job.size, "received"
        self._listen(job)
        return None

    def _refresh(self, pending: list[Job], since: datetime) -> None:
        named = [job for job in pending if job.ingestion_id]
        for job in pending:
            if not job.ingestion_id:
                self._find(job, since)
        if len(named) > ASKED_SINGLY:
            wanted = {job.ingestion_id for job in named}
            ended: set[str] = set()
            for item in self._api.pages("/ingestions", limit=2 * len(named) + 100):
                if item.get("ingestion_id") in wanted and item.get("status") in FINAL:
                    ended.add(item["ingestion_id"])
            named = [job for job in named if job.ingestion_id in ended] or named[:ASKED_SINGLY]
        for job in named:
            self._ask(job)

    def _ask(self, job: Job) -> None:
        try:
            record = self._api.get(f"/ingestions/{job.ingestion_id}")
        except ApiError as error:
            if error.status == 404:
                return  # uploaded, its execution has not started yet
            raise
        self._take(job, record)

    def _find(self, job: Job, since: datetime) -> None:
        """Look an upload up by its key, for stores that do not tell the version they wrote."""
        if not job.uploaded:
            return
        for item in self._api.pages("/ingestions", limit=20, key=job.uploaded.key):
            received = datetime.fromisoformat(str(item["received_at"]))
            same = job.uploaded.etag is None or str(item.get("etag", "")).strip('"') == job.uploaded.etag
            if same and received.timestamp() >= since.timestamp() - CLOCK_SLACK:
                job.ingestion_id = item["ingestion_id"]
                self._ask(job)
                return

    def _take(self, job: Job, record: dict[str, Any]) -> None:
        job.record = record
        job.status = str(record.get("status") or "received")
        job.stage = str(record.get("stage") or job.status)
        self._listen(job)

    def _give_up(self, job: Job) -> None:
        known = job.record.get("stage")
        where = f"at stage {known}" if known else "and no execution has started"
        job.error = {
            "code": "timeout",
            "message": f"{job.path} was uploaded but is not finished after {self._timeout:.0f} s ({job.status}, {where}).",
            "hint": f"It goes on by itself. Ask later: gridlake ingestions {job.ingestion_id or ''}".rstrip(),
        }


def redrive(api: Api, ingestion_id: str, *, timeout: float, listen: Listener = lambda _: None) -> Job:
    """Run an ingestion again and wait for its new end."""
    before = api.get(f"/ingestions/{ingestion_id}")
    job = Job(Path(str(before.get("file") or before.get("key") or ingestion_id)), ingestion_id=ingestion_id)
    api.post(f"/ingestions/{ingestion_id}/redrive")
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        record = api.get(f"/ingestions/{ingestion_id}")
        moved = any(record.get(name) != before.get(name) for name in ("attempts", "finished_at", "status"))
        job.record, job.stage = record, str(record.get("stage") or "")
        if moved and record.get("status") in FINAL:
            job.status = str(record["status"])
            listen(job)
            return job
        listen(job)
        time.sleep(0.5)
    job.status = str(job.record.get("status") or "running")
    job.error = {
        "code": "timeout",
        "message": f"{ingestion_id} is not finished {timeout:.0f} s after its redrive.",
        "hint": f"Ask later: gridlake ingestions {ingestion_id}",
    }
    return job


def accept_draft(api: Api, job: Job, *, timeout: float) -> None:
    """Register the contract that was drafted for an uncatalogued file, and run the file again under it."""
    draft = api.get(f"/ingestions/{job.ingestion_id}/draft")
    api.post("/contracts", {"contract": draft["contract"]})
    again = redrive(api, str(job.ingestion_id), timeout=timeout)
    job.record, job.status, job.error = again.record, again.status, again.error
