"""How far a load has come, kept outside the process that runs it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit


@dataclass(slots=True)
class Progress:
    """State of a load that a later run takes up.

    Attributes
    ----------
    partition, row_group
        Numbers of the first partition and row group that may not be written yet.
    partitions
        Identities of the load's partitions; progress of another list of partitions is not taken up.
    points_written
        Points the server has accepted so far.
    refused
        Rows that have no point in the server: partition, row of the source and reason.
    guarded
        Whether the number of series was found to be within the contract.
    """

    partitions: list[str] = field(default_factory=list)
    partition: int = 0
    row_group: int = 0
    points_written: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    guarded: bool = False


class Checkpoint(Protocol):
    """Where progress is kept."""

    def read(self) -> Progress | None:
        """The progress saved last, or None."""
        ...

    def save(self, progress: Progress) -> None:
        """Keep the progress in place of the last one."""
        ...


class FileCheckpoint:
    """Progress in a local file (tests, benchmarks)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Progress | None:
        """The progress saved last, or None."""
        if not self._path.exists():
            return None
        return Progress(**json.loads(self._path.read_text()))

    def save(self, progress: Progress) -> None:
        """Keep the progress, whole or not at all."""
        aside = self._path.with_suffix(".new")
        aside.write_text(json.dumps(asdict(progress)))
        aside.replace(self._path)


class S3Checkpoint:
    """Progress in an S3 object: ``s3://WORK/executions/{executionId}/load/checkpoint.json``.

    Parameters
    ----------
    uri
        Address of the object.
    s3
        S3 client; the package's cached one by default.
    """

    def __init__(self, uri: str, s3: Any = None) -> None:
        if s3 is None:
            from gridlake.platform.clients import client

            s3 = client("s3")
        parts = urlsplit(uri, allow_fragments=False)
        self._place = {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}
        self._s3 = s3

    def read(self) -> Progress | None:
        """The progress saved last, or None."""
        try:
            body = self._s3.get_object(**self._place)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return Progress(**json.loads(body))

    def save(self, progress: Progress) -> None:
        """Keep the progress in place of the last one."""
        self._s3.put_object(
            **self._place, Body=json.dumps(asdict(progress)).encode(), ContentType="application/json"
        )
