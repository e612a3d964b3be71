"""Which row of several sources counts: of one key, the row of the highest `gridlake.sequence`.

Lake and InfluxDB are compared, and revisions applied, on the points that this rule leaves. A point is identified by its
series (measurement and all tags) and its time; a key by its time and the contract's key tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gridlake.contracts.model import Contract
from gridlake.timeseries.line_protocol import Serialiser
from gridlake.timeseries.partitions import SOURCE_ROW

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_SCALE = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of several tables, column by column.

    Attributes
    ----------
    series
        Number of each row's series in `names`.
    names, tags
        Each series as InfluxDB names it, and its tag values (an absent tag is empty).
    key
        Number of each row's key tags.
    time
        Nanoseconds since the epoch (UTC).
    values
        One row per field of the contract, in its order; NaN where null.
    table
        Number of the table each row is from.
    rank
        Precedence: of rows with one key, that of the highest rank counts; of equal ranks the later row.
    source_row
        Line of the publisher's file (`_source_row`); -1 where the table does not say.
    """

    series: Int64s
    names: list[str]
    tags: list[dict[str, str]]
    key: Int64s
    time: Int64s
    values: npt.NDArray[np.float64]
    table: Int64s
    rank: Int64s
    source_row: Int64s

    def __len__(self) -> int:
        return len(self.time)

    def winners(self, among: Bools | None = None) -> Bools:
        """Rows that count, among all or some of the rows."""
        chosen = np.arange(len(self)) if among is None else np.flatnonzero(among)
        order = chosen[np.lexsort((chosen, self.rank[chosen], self.time[chosen], self.key[chosen]))]
        last = np.ones(len(order), dtype=bool)
        last[:-1] = (np.diff(self.key[order]) != 0) | (np.diff(self.time[order]) != 0)
        found = np.zeros(len(self), dtype=bool)
        found[order[last]] = True
        return found


def rows_of(tables: Iterable[tuple[pa.Table, int]], contract: Contract) -> Rows:
    """Rows of tables (each with its rank) that have a writable series.

    Tables have the column ``time`` (timestamp) and the contract's tags and fields, or some of them.
    """
    tags = [c.name for c in contract.tags]
    keys = [c.name for c in contract.tags if c.key] or tags
    fields = [c.name for c in contract.fields]
    by_series = Serialiser(contract.dataset, tags=tags, fields=())
    by_key = Serialiser(contract.dataset, tags=keys, fields=())
    series_numbers: dict[str, int] = {}
    key_numbers: dict[str | None, int] = {}
    tag_values: list[dict[str, str]] = []
    parts: list[list[Any]] = [[] for _ in range(7)]
    for number, (table, rank) in enumerate(tables):
        for batch in table.combine_chunks().to_batches():
            codes, names = by_series.series(batch)
            for code, name in enumerate(names):
                if name is not None and name not in series_numbers:
                    series_numbers[name] = len(tag_values)
                    tag_values.append(_tags_of(batch, int(np.argmax(codes == code)), tags))
            lookup = np.array([-1 if n is None else series_numbers[n] for n in names], dtype=np.int64)
            series = lookup[codes] if len(names) else codes
            codes, names = by_key.series(batch)
            lookup = np.array([key_numbers.setdefault(n, len(key_numbers)) for n in names], dtype=np.int64)
            key = lookup[codes] if len(names) else codes
            kept = series >= 0
            values = np.vstack([_field(batch, f) for f in fields])[:, kept]
            columns = (series[kept], key[kept], nanoseconds(batch.column("time"))[kept], values)
            filled = [np.full(int(kept.sum()), n, dtype=np.int64) for n in (number, rank)]
            for part, column in zip(parts, (*columns, *filled, _source_rows(batch)[kept]), strict=True):
                part.append(column)
    empty = np.zeros(0, dtype=np.int64)
    series, key, time, table_number, ranks, lines = (
        np.concatenate(parts[i]) if parts[i] else empty for i in (0, 1, 2, 4, 5, 6)
    )
    values = np.hstack(parts[3]) if parts[3] else np.zeros((len(fields), 0))
    return Rows(series, list(series_numbers), tag_values, key, time, values, table_number, ranks, lines)


def nanoseconds(column: Any) -> Int64s:
    """A timestamp column as nanoseconds since the epoch."""
    scale = _SCALE[column.type.unit] if pa.types.is_timestamp(column.type) else 1
    times: Int64s = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return times * scale


def table_of(rows: Rows, chosen: Bools, contract: Contract) -> pa.Table:
    """Some of the rows as a table that the serialiser takes."""
    positions = np.flatnonzero(chosen)
    columns: dict[str, Any] = {"time": pa.array(rows.time[positions], pa.timestamp("ns", "UTC"))}
    codes: Any = pa.array(rows.series[positions].astype(np.int32))
    for tag in contract.tags:
        words = pa.array([tags.get(tag.name, "") for tags in rows.tags], pa.string())
        columns[tag.name] = pa.DictionaryArray.from_arrays(codes, words)
    for number, field in enumerate(contract.fields):
        columns[field.name] = pa.array(rows.values[number, positions], from_pandas=True)
    return pa.table(columns)


def _tags_of(batch: Any, row: int, tags: Sequence[str]) -> dict[str, str]:
    present = set(batch.schema.names)
    return {t: (batch.column(t)[row].as_py() or "") if t in present else "" for t in tags}


def _source_rows(batch: Any) -> Int64s:
    if SOURCE_ROW not in batch.schema.names:
        return np.full(batch.num_rows, -1, dtype=np.int64)
    column: Int64s = batch.column(SOURCE_ROW).cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return column


def _field(batch: Any, name: str) -> npt.NDArray[np.float64]:
    if name not in batch.schema.names:
        return np.full(batch.num_rows, np.nan)
    column: npt.NDArray[np.float64] = (
        batch.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    )
    return column
