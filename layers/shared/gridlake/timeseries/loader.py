"""Loading silver partitions into InfluxDB: streamed, checkpointed, and with every row accounted for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.parquet as pq

from gridlake.contracts.model import Contract
from gridlake.timeseries.checkpoint import Checkpoint, Progress
from gridlake.timeseries.errors import InfluxRefusedError, SeriesLimitError
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.isolation import write_isolating
from gridlake.timeseries.line_protocol import MAX_ROWS, RefusedRow, Serialiser
from gridlake.timeseries.partitions import SOURCE_ROW, PartitionRef, opened, present, series_columns

BATCH_LINES = 8_192
WRITERS = 2
"""Five to ten thousand lines a request and two writers are what a server takes fastest (measured)."""
STOP_BEFORE_SECONDS = 45.0
"""Time left at which a load stops taking up new work: more than a write's whole retry budget."""
SAVE_EVERY_SECONDS = 5.0
MAX_REFUSED = 10_000


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """A silver row that InfluxDB does not hold.

    Attributes
    ----------
    partition
        URI of the silver object.
    source_row
        1-based physical line of the publisher's file (`_source_row`); None where silver does not have it.
    reason
        Why, in the server's words or ours.
    """

    partition: str
    source_row: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did, all its runs together.

    Attributes
    ----------
    points_written
        Points the server accepted; rows without any value have none.
    refused
        Rows that were refused, by the server or because line protocol can't carry them.
    done
        False when the time ran out: call again with the same checkpoint.
    """

    points_written: int
    refused: tuple[RefusedPoint, ...] = field(default=())
    done: bool = True


def load_partitions(
    tables: Iterable[PartitionRef],
    contract: Contract,
    handler: InfluxDBHandler,
    checkpoint: Checkpoint,
    deadline: Callable[[], float],
    *,
    s3: Any = None,
    batch_lines: int = BATCH_LINES,
    stop_before: float = STOP_BEFORE_SECONDS,
) -> LoadReport:
    """Write silver partitions to the measurement named as their dataset.

    Row groups are written in order by two writers; progress is saved every few seconds, when the time runs out and when
    the server fails. A later run writes again what was written after the last save, which changes nothing in InfluxDB.
    At least one row group is written in each run, so that repeated runs always come to an end.

    Parameters
    ----------
    tables
        Partitions, in the order in which they are written.
    checkpoint
        Where progress is read from and kept.
    deadline
        Seconds left to this process.
    s3
        S3 client for ``s3://`` partitions; the package's cached one by default.
    stop_before
        Seconds before the deadline at which no new row group is begun.

    Raises
    ------
    SeriesLimitError
        The measurement would hold more series than `contract.max_series`; nothing was written.
    InfluxRefusedError
        The server refuses more than ten thousand rows (`influx_refused_most`), or has no such database.
    InfluxUnavailableError
        The server is down or overloaded; run again to go on from the checkpoint.
    InfluxCredentialsError
        The credentials are wrong or lack the permission.
    """
    partitions = list(tables)
    load = _Load(partitions, contract, handler, checkpoint, s3, batch_lines)
    if not load.progress.guarded:
        check_series(partitions, contract, handler, s3=s3)
        load.progress.guarded = True
    done = load.run(lambda: deadline() > stop_before)
    return load.report(done)


def check_series(
    partitions: Sequence[PartitionRef], contract: Contract, handler: InfluxDBHandler, *, s3: Any = None
) -> int:
    """Number of series the measurement will hold with these partitions, which the contract must allow.

    Raises
    ------
    SeriesLimitError
        It exceeds `contract.max_series`.
    """
    tags = [c.name for c in contract.tags]
    serialiser = Serialiser(contract.dataset, tags=tags, fields=())
    series: set[str] = set()
    for ref in partitions:
        with opened(ref, s3) as file:
            for batch in file.iter_batches(batch_size=8 * MAX_ROWS, columns=present(file, tags)):
                series |= serialiser.tag_sets(batch)
        if len(series) > contract.max_series:
            break
    if len(series) <= contract.max_series:
        series |= handler.series_keys(contract.dataset)
    if len(series) > contract.max_series:
        raise SeriesLimitError(
            f"{contract.dataset} would hold at least {len(series)} series, its contract allows {contract.max_series}",
            hint="a tag that should be a field or an attribute? Otherwise raise maxSeries in the contract",
            series=len(series),
            max_series=contract.max_series,
        )
    return len(series)


class _Load:
    """One run of a load: what is on its way to the server, in order, and what has arrived."""

    def __init__(
        self,
        partitions: Sequence[PartitionRef],
        contract: Contract,
        handler: InfluxDBHandler,
        checkpoint: Checkpoint,
        s3: Any,
        batch_lines: int,
    ) -> None:
        self._partitions = partitions
        self._columns = [*series_columns(contract), SOURCE_ROW]
        self._serialiser = Serialiser(
            contract.dataset, tags=[c.name for c in contract.tags], fields=[c.name for c in contract.fields]
        )
        self._handler = handler
        self._checkpoint = checkpoint
        self._s3 = s3
        self._batch_lines = batch_lines
        self._writes: deque[_Write | _RowGroupEnd] = deque()
        self._points = 0
        self._refused: list[RefusedPoint] = []
        self._saved_at = time.monotonic()
        identities = [p.id for p in partitions]
        saved = checkpoint.read()
        self.progress = saved if saved and saved.partitions == identities else Progress(partitions=identities)

    def run(self, go_on: Callable[[], bool]) -> bool:
        """Write until the end or until `go_on` says no; whether the end was reached."""
        writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="influx-writer")
        try:
            done = self._run(writers, go_on)
            while self._writes:
                self._settle_first()
            return done
        finally:
            writers.shutdown(cancel_futures=True)
            self._checkpoint.save(self.progress)

    def report(self, done: bool) -> LoadReport:
        """The report of all runs so far."""
        refused = tuple(RefusedPoint(**r) for r in self.progress.refused)
        return LoadReport(self.progress.points_written, refused, done)

    def _run(self, writers: ThreadPoolExecutor, go_on: Callable[[], bool]) -> bool:
        begun = False
        for number in range(self.progress.partition, len(self._partitions)):
            ref = self._partitions[number]
            first = self.progress.row_group if number == self.progress.partition else 0
            with opened(ref, self._s3) as file:
                for row_group in range(first, file.num_row_groups):
                    if begun and not go_on():
                        return False
                    begun = True
                    self._row_group(writers, ref.uri, file, row_group)
                    last = row_group + 1 == file.num_row_groups
                    self._writes.append(_RowGroupEnd(*((number + 1, 0) if last else (number, row_group + 1))))
        return True

    def _row_group(self, writers: ThreadPoolExecutor, uri: str, file: pq.ParquetFile, row_group: int) -> None:
        columns = present(file, self._columns)
        for batch in file.iter_batches(batch_size=MAX_ROWS, row_groups=[row_group], columns=columns):
            rows = batch.column(SOURCE_ROW) if SOURCE_ROW in columns else None
            for lines in self._serialiser.lines(batch):
                self._writes.append(_Write(uri, 0, rows, lines.refused))
                for start in range(0, len(lines), self._batch_lines):
                    # Two requests on the wire and two waiting: memory stays bounded and no writer idles.
                    while len(self._writes) >= 2 * WRITERS + 2:
                        self._settle_first()
                    stop = min(start + self._batch_lines, len(lines))
                    sent = writers.submit(write_isolating, self._handler, lines, start, stop)
                    self._writes.append(_Write(uri, stop - start, rows, sent))

    def _settle_first(self) -> None:
        """Wait for the oldest write; at the end of a row group, take it into the progress."""
        first = self._writes.popleft()
        if isinstance(first, _Write):
            refused = first.refused.result() if isinstance(first.refused, Future) else first.refused
            self._points += first.lines - (len(refused) if first.lines else 0)
            self._refused += [
                RefusedPoint(first.uri, _source_row(first.source_rows, r.row), r.reason) for r in refused
            ]
            if len(self.progress.refused) + len(self._refused) > MAX_REFUSED:
                raise InfluxRefusedError(
                    f"InfluxDB refuses more than {MAX_REFUSED} rows of {first.uri}: {self._refused[-1].reason}",
                    http_status=400,
                    reason=self._refused[-1].reason,
                    code="influx_refused_most",
                    hint="the contract and what the measurement already holds disagree; mend one of them and redrive",
                )
            return
        self.progress.partition, self.progress.row_group = first.partition, first.row_group
        self.progress.points_written += self._points
        self.progress.refused += map(asdict, self._refused)
        self._points, self._refused = 0, []
        if time.monotonic() - self._saved_at > SAVE_EVERY_SECONDS:
            self._checkpoint.save(self.progress)
            self._saved_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Write:
    """Lines sent to the server (`lines` of them), or rows refused before they were sent (no lines)."""

    uri: str
    lines: int
    source_rows: Any
    refused: Future[list[RefusedRow]] | tuple[RefusedRow, ...]


@dataclass(frozen=True, slots=True)
class _RowGroupEnd:
    """Everything before this place has been sent."""

    partition: int
    row_group: int


def _source_row(source_rows: Any, row: int) -> int | None:
    return None if source_rows is None else source_rows[row].as_py()
