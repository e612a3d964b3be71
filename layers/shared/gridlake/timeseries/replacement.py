"""Making InfluxDB follow a revision: points that vanished, values that turned null, rows of other sources beneath them.

Writing a revised file overwrites what it still has, but neither removes what it no longer has nor empties a field. So the
month is resolved as the lake resolves it, before and after; what InfluxDB may hold beyond the result is deleted, and the
rows that count but were overwritten or deleted on the way are written again. All of it follows from the tables alone, so
that a run after a crash does the same again, to the same end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gridlake.contracts.model import Contract
from gridlake.timeseries.checkpoint import Checkpoint, Progress
from gridlake.timeseries.handler import Deletion, InfluxDBHandler
from gridlake.timeseries.isolation import write_isolating
from gridlake.timeseries.line_protocol import RefusedRow, Serialiser
from gridlake.timeseries.loader import BATCH_LINES, STOP_BEFORE_SECONDS, RefusedPoint
from gridlake.timeseries.partitions import SOURCE_ROW, PartitionRef, read_table, series_columns, time_span
from gridlake.timeseries.resolution import Bools, Rows, rows_of, table_of

_READERS = 8
RANGES_OF_A_SERIES = 64
"""Ranges of one series and month above which its whole span is deleted and written again."""
RANGES_OF_A_MONTH = 400
"""Ranges of a month above which the whole span of all series is deleted and written again."""


@dataclass(frozen=True, slots=True)
class ReplacementReport:
    """What a revision changed in InfluxDB, all runs together.

    Attributes
    ----------
    points_rewritten
        Points written again because a row of another source counts, or because their deletion took them along.
    refused
        Rows among them that were refused.
    done
        False when the time ran out: call again with the same checkpoint.
    """

    points_rewritten: int
    refused: tuple[RefusedPoint, ...] = ()
    done: bool = True


def reconcile_source(
    contract: Contract,
    handler: InfluxDBHandler,
    checkpoint: Checkpoint,
    deadline: Callable[[], float],
    *,
    previous: Iterable[PartitionRef],
    current: Iterable[PartitionRef],
    others: Iterable[PartitionRef],
    s3: Any = None,
) -> ReplacementReport:
    """Bring InfluxDB to what the lake says after a source was revised or removed. Call it after `load_partitions`.

    Parameters
    ----------
    checkpoint
        Where progress is kept; another one than the load's.
    deadline
        Seconds left to this process.
    previous
        The source's partitions before the revision (their S3 versions, once replaced). Empty for a new source.
    current
        Its partitions now. Empty to remove the source.
    others
        Partitions of all other sources of the dataset, at least in the months of `previous` and `current`.
    s3
        S3 client for ``s3://`` partitions; the package's cached one by default.

    Raises
    ------
    InfluxUnsupportedError
        Points must be deleted and the server is of version 3.
    InfluxUnavailableError, InfluxCredentialsError
        As `InfluxDBHandler.write`; run again with the same checkpoint.
    """
    before, now, beside = (_by_month(refs) for refs in (previous, current, others))
    # A month with neither older rows nor other sources holds exactly what the load has just written.
    months = sorted(m for m in {*before, *now} if m in before or m in beside)
    identities = [r.id for group in (before, now, beside) for m in months for r in group.get(m, ())]
    saved = checkpoint.read()
    progress = saved if saved and saved.partitions == identities else Progress(partitions=identities)
    for begun, month in enumerate(months[progress.partition :]):
        if begun and deadline() < STOP_BEFORE_SECONDS:
            return _report(progress, done=False)
        written, refused = _reconcile_month(
            contract, handler, before.get(month, []), now.get(month, []), beside.get(month, []), s3
        )
        progress.partition += 1
        progress.points_written += written
        progress.refused += map(asdict, refused)
        checkpoint.save(progress)
    return _report(progress, done=True)


def meet(current: Iterable[PartitionRef], others: Iterable[PartitionRef], s3: Any = None) -> bool:
    """Whether any partition of other sources may hold times of the current ones.

    Only partitions of one month are compared, by the statistics of the files. Sources that share no time share no key:
    nothing needs to be resolved between them.
    """
    now, beside = _by_month(current), _by_month(others)
    shared = [(ref, month) for month in now if month in beside for ref in (*now[month], *beside[month])]
    with ThreadPoolExecutor(_READERS) as pool:
        spans = list(pool.map(lambda entry: time_span(entry[0], s3), shared))
    if None in spans:
        return True
    known = {ref.id: span for (ref, _), span in zip(shared, spans, strict=True) if span}
    return any(
        known[mine.id][0] <= known[other.id][1] and known[other.id][0] <= known[mine.id][1]
        for month in now
        if month in beside
        for mine in now[month]
        for other in beside[month]
    )


def _report(progress: Progress, *, done: bool) -> ReplacementReport:
    return ReplacementReport(
        progress.points_written, tuple(RefusedPoint(**r) for r in progress.refused), done
    )


def _by_month(refs: Iterable[PartitionRef]) -> dict[tuple[int, int], list[PartitionRef]]:
    months: dict[tuple[int, int], list[PartitionRef]] = defaultdict(list)
    for ref in refs:
        if ref.month is None:
            raise ValueError(f"{ref.uri} is not a partition of a month (year=YYYY/month=MM)")
        months[ref.month].append(ref)
    return months


def _reconcile_month(
    contract: Contract,
    handler: InfluxDBHandler,
    previous: Sequence[PartitionRef],
    current: Sequence[PartitionRef],
    others: Sequence[PartitionRef],
    s3: Any,
) -> tuple[int, list[RefusedPoint]]:
    columns = [*series_columns(contract), SOURCE_ROW]
    refs = [*previous, *current, *others]
    rows = rows_of((read_table(ref, columns, s3) for ref in refs), contract)
    own = rows.table < len(previous) + len(current)
    deletions, rewritten = plan(contract, rows, own, rows.table < len(previous))
    handler.delete_all(deletions)
    serialiser = Serialiser(
        contract.dataset, tags=[c.name for c in contract.tags], fields=[c.name for c in contract.fields]
    )
    written = 0
    refused: list[RefusedRow] = []
    for lines in serialiser.lines(table_of(rows, rewritten, contract)):
        refused += lines.refused
        for start in range(0, len(lines), BATCH_LINES):
            stop = min(start + BATCH_LINES, len(lines))
            bad = write_isolating(handler, lines, start, stop)
            refused += bad
            written += stop - start - len(bad)
    position = np.flatnonzero(rewritten)
    return written, [
        RefusedPoint(refs[rows.table[at]].uri, line if line >= 0 else None, row.reason)
        for row in refused
        for at in (position[row.row],)
        for line in (int(rows.source_row[at]),)
    ]


def plan(contract: Contract, rows: Rows, own: Bools, gone: Bools) -> tuple[list[Deletion], Bools]:
    """What to delete from a month, and which rows to write afterwards.

    Parameters
    ----------
    own
        Rows of the revised source, old and new.
    gone
        Its old rows: they no longer count.

    Returns
    -------
    tuple
        Deletions (inclusive ranges by series, or of all series when they would be too many) and the rows to write.
    """
    if len(rows) == 0:
        return [], np.zeros(0, dtype=bool)
    counts = rows.winners(~gone)
    bits = np.zeros(len(rows), dtype=np.uint64)
    for number in range(len(contract.fields)):
        bits |= (~np.isnan(rows.values[number])).astype(np.uint64) << np.uint64(number)
    # Points: distinct (series, time), in that order; `point` is the number of each row's point.
    order = np.lexsort((rows.time, rows.series))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(rows.series[order]) != 0) | (np.diff(rows.time[order]) != 0)
    point = np.empty(len(rows), dtype=np.int64)
    point[order] = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    series, time = rows.series[order][starts], rows.time[order][starts]
    held = np.bitwise_or.reduceat(bits[order], starts)
    wanted = np.bitwise_or.reduceat(np.where(counts, bits, np.uint64(0))[order], starts)
    # Only keys that the revised source has or had can have changed.
    touched_rows = np.isin(_pairs(rows), np.unique(_pairs(rows)[own]))
    touched = np.bitwise_or.reduceat(touched_rows[order].astype(np.uint8), starts).astype(bool)
    surplus = touched & ((held & ~wanted) != 0)
    deletions, deleted = _ranges(contract.dataset, rows, series, time, surplus)
    covered_by_other = touched_rows & ~own
    return deletions, counts & (bits != 0) & (deleted[point] | covered_by_other)


def _pairs(rows: Rows) -> Any:
    """One number for each row's key and time."""
    _, moment = np.unique(rows.time, return_inverse=True)
    return rows.key * (int(moment.max()) + 1) + moment


def _ranges(
    measurement: str, rows: Rows, series: Any, time: Any, surplus: Bools
) -> tuple[list[Deletion], Bools]:
    """Ranges that cover the surplus points, and every point that they delete."""
    deletions: list[Deletion] = []
    deleted = np.zeros(len(series), dtype=bool)
    for number in np.unique(series[surplus]):
        positions = np.flatnonzero(series == number)
        marked = np.flatnonzero(surplus[positions])
        runs = np.split(marked, np.flatnonzero(np.diff(marked) > 1) + 1)
        if len(runs) > RANGES_OF_A_SERIES:
            runs = [np.arange(marked[0], marked[-1] + 1)]
        for run in runs:
            span = positions[run]
            deleted[span] = True
            deletions.append(
                Deletion(measurement, int(time[span[0]]), int(time[span[-1]]), rows.tags[int(number)])
            )
    if len(deletions) <= RANGES_OF_A_MONTH:
        return deletions, deleted
    start, stop = int(time[surplus].min()), int(time[surplus].max())
    return [Deletion(measurement, start, stop)], (time >= start) & (time <= stop)
