"""Silver Parquet: rows streamed into one file per UTC month, in flat memory and with few open files."""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.contracts.model import ColumnType, Contract, Kind
from gridlake.ingestion.assemble import MICROSECOND, SERIES_BITS, Block
from gridlake.ingestion.readers.chunk import Rejected
from gridlake.ingestion.unique import Keep, repeated, resolve

COMPRESSION = "snappy"
SOURCE_ROW = "_source_row"
_ROW_GROUP = 262_144
_BUFFER_BYTES = 96 * 1024 * 1024
_OPEN_FILES = 48
_MONTH_BITS = 63 - SERIES_BITS
Month = int | None
"""Months since January 1970; None is the only partition of what has none."""


@dataclass(slots=True)
class Partition:
    """One silver file in the making."""

    month: Month
    path: Path
    rows: int = 0
    waiting: list[Block] = field(default_factory=list)
    waiting_rows: int = 0
    parts: list[Path] = field(default_factory=list)
    keys: Path | None = None
    min_time: int | None = None
    max_time: int | None = None


def schema_of(contract: Contract, metadata: dict[str, str]) -> pa.Schema:
    """Silver columns: ``time``, tags, fields, attributes, ``_source_row``."""
    kinds = {
        ColumnType.STRING: pa.string(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }
    columns = (
        [pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False)]
        if contract.kind is Kind.SERIES
        else []
    )
    columns += [pa.field(c.name, pa.dictionary(pa.int32(), pa.string())) for c in contract.tags]
    columns += [pa.field(c.name, pa.float64()) for c in contract.fields]
    columns += [pa.field(c.name, kinds[c.type]) for c in contract.attributes]
    columns.append(pa.field(SOURCE_ROW, pa.int64(), nullable=False))
    return pa.schema(columns, metadata=metadata)


class SilverWriter:
    """Collects blocks, writes row groups as memory fills, and settles repeated keys when a file is complete.

    Parameters
    ----------
    place
        Gives the final path of a partition.
    keep
        Which of rows with one key and different values stays; None lets repeated keys be (a register without key).
    """

    def __init__(
        self,
        contract: Contract,
        *,
        place: Callable[[Month], Path],
        work: Path,
        metadata: dict[str, str],
        dictionary: Callable[[str], list[str]],
        keep: Keep | None,
        unpartitioned: bool = False,
    ) -> None:
        self._contract = contract
        self._place = place
        self._work = work
        self._schema = schema_of(contract, metadata)
        self._dictionary = dictionary
        self._keep = keep
        self._whole = unpartitioned or contract.kind is not Kind.SERIES
        self._row_bytes = 8 * len(self._schema) + 24
        self._partitions: dict[Month, Partition] = {}
        self._open: OrderedDict[Month, pq.ParquetWriter] = OrderedDict()
        self._waiting = 0
        work.mkdir(parents=True, exist_ok=True)

    def add(self, block: Block) -> None:
        """Take the rows of a block."""
        if len(block.lines) == 0:
            return
        for month, part in [(None, block)] if self._whole else _by_month(block):
            partition = self._partitions.get(month)
            if partition is None:
                partition = self._partitions[month] = Partition(month, self._place(month))
            partition.waiting.append(part)
            partition.waiting_rows += len(part.lines)
            self._waiting += len(part.lines)
            if partition.waiting_rows >= _ROW_GROUP:
                self._flush(partition)
        if self._waiting * self._row_bytes > _BUFFER_BYTES:
            for partition in sorted(self._partitions.values(), key=lambda p: -p.waiting_rows):
                if self._waiting * self._row_bytes <= _BUFFER_BYTES // 4 or not partition.waiting:
                    break
                self._flush(partition)

    def finish(
        self, quarantine: Callable[[list[Rejected]], None]
    ) -> Iterator[tuple[Partition, npt.NDArray[np.int64]]]:
        """Complete the files one after the other, each with the keys of its rows.

        Rows that give way to another with the same key are handed to `quarantine`.
        """
        for month in sorted(self._partitions, key=lambda m: m or 0):
            partition = self._partitions[month]
            self._flush(partition)
            writer = self._open.pop(month, None)
            if writer is not None:
                writer.close()
            self._merge(partition)
            keys = np.fromfile(partition.keys, np.int64) if partition.keys else np.empty(0, np.int64)
            if partition.keys:
                partition.keys.unlink()
            if self._keep is not None:
                keys = self._settle(partition, keys, quarantine)
            if partition.rows:
                yield partition, keys
        shutil.rmtree(self._work, ignore_errors=True)

    def discard(self) -> None:
        """Close everything and leave no file behind."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()
        for partition in self._partitions.values():
            partition.path.unlink(missing_ok=True)
        shutil.rmtree(self._work, ignore_errors=True)

    def _flush(self, partition: Partition) -> None:
        if not partition.waiting:
            return
        table, keys = self._table(partition.waiting)
        self._writer(partition).write_table(table, row_group_size=_ROW_GROUP)
        if partition.keys is None:
            partition.keys = self._work / f"{partition.month}.keys"
        with partition.keys.open("ab") as file:
            keys.tofile(file)
        for block in partition.waiting:
            if block.time is not None and len(block.time):
                low, high = int(block.time.min()), int(block.time.max())
                partition.min_time = low if partition.min_time is None else min(low, partition.min_time)
                partition.max_time = high if partition.max_time is None else max(high, partition.max_time)
        partition.rows += partition.waiting_rows
        self._waiting -= partition.waiting_rows
        partition.waiting, partition.waiting_rows = [], 0

    def _writer(self, partition: Partition) -> pq.ParquetWriter:
        writer = self._open.pop(partition.month, None)
        if writer is None:
            if len(self._open) >= _OPEN_FILES:
                _, oldest = self._open.popitem(last=False)
                oldest.close()
            part = self._work / f"{partition.month}-{len(partition.parts)}.parquet"
            partition.parts.append(part)
            writer = self._new(part)
        self._open[partition.month] = writer
        return writer

    def _new(self, path: Path) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            path,
            self._schema,
            compression=COMPRESSION,
            use_dictionary=[
                "time",
                *(c.name for c in self._contract.tags),
                *(c.name for c in self._contract.attributes),
            ],
            write_statistics=True,
        )

    def _table(self, blocks: list[Block]) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        arrays: list[pa.Array] = []
        time: npt.NDArray[np.int64] | None = None
        if self._contract.kind is Kind.SERIES:
            time = np.concatenate([b.time for b in blocks if b.time is not None])
            arrays.append(pa.array(time * MICROSECOND, pa.int64()).cast(pa.timestamp("us", tz="UTC")))
        arrays += [
            _encoded(np.concatenate([b.tags[tag.name] for b in blocks]), self._dictionary(tag.name))
            for tag in self._contract.tags
        ]
        arrays += [
            pa.array(np.concatenate([b.values[value.name] for b in blocks]), from_pandas=True)
            for value in self._contract.fields
        ]
        arrays += [
            pa.concat_arrays([b.attributes[attribute.name] for b in blocks])
            for attribute in self._contract.attributes
        ]
        arrays.append(pa.array(np.concatenate([b.lines for b in blocks])))
        keys = np.concatenate([b.key for b in blocks])
        if time is not None and not self._whole:
            start = int(
                np.datetime64(int(_month_of(time[:1])[0]), "M").astype("datetime64[s]").astype(np.int64)
            )
            keys = (keys << _MONTH_BITS) | (time - start)
        return pa.Table.from_arrays(arrays, schema=self._schema), keys

    def _merge(self, partition: Partition) -> None:
        partition.path.parent.mkdir(parents=True, exist_ok=True)
        if len(partition.parts) == 1:
            partition.parts[0].replace(partition.path)
            return
        with self._new(partition.path) as writer:
            for part in partition.parts:
                with pq.ParquetFile(part) as file:
                    for group in range(file.num_row_groups):
                        writer.write_table(
                            file.read_row_group(group).cast(self._schema), row_group_size=_ROW_GROUP
                        )
                part.unlink()

    def _settle(
        self, partition: Partition, keys: npt.NDArray[np.int64], quarantine: Callable[[list[Rejected]], None]
    ) -> npt.NDArray[np.int64]:
        rows = repeated(keys)
        if len(rows) == 0:
            return keys
        table = pq.read_table(partition.path)
        names = [n for n in table.column_names if n != SOURCE_ROW]
        dropped = resolve(keys, rows, lambda r: table.select(names).take(r), self._keep or "last")
        source = np.asarray(table[SOURCE_ROW])
        shown = table.take(pa.array([d.position for d in dropped], pa.int64())).to_pylist()
        found = []
        for drop, row in zip(dropped, shown, strict=True):
            line = row.pop(SOURCE_ROW)
            other = f"row {source[drop.winner]}" if drop.winner >= 0 else "another row"
            message = f"row {line} has the key of {other} and {'the same' if drop.identical else 'different'} values"
            reason = "duplicate_identical" if drop.identical else "duplicate_conflicting"
            found.append(
                Rejected(reason, "unique", line, message, json.dumps(row, ensure_ascii=False, default=str))
            )
        quarantine(found)
        stay = np.ones(len(keys), np.bool_)
        stay[[d.position for d in dropped]] = False
        table = table.filter(pa.array(stay)).cast(self._schema)
        partition.rows = table.num_rows
        if partition.rows == 0:
            partition.path.unlink()
            return keys[stay]
        with self._new(partition.path) as writer:
            writer.write_table(table, row_group_size=_ROW_GROUP)
        return keys[stay]


def series_and_offset(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Key number and seconds since the start of the month, from the packed keys of a partition."""
    return keys >> _MONTH_BITS, keys & ((1 << _MONTH_BITS) - 1)


def _encoded(codes: npt.NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    if len(words) > 1000 and len(words) > len(codes) // 8:
        used, which = np.unique(codes, return_inverse=True)
        null = len(used) > 0 and used[0] < 0
        words = [words[i] for i in used.tolist() if i >= 0]
        codes = which.astype(np.int32) - np.int32(null)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, pa.int32(), mask=codes < 0), pa.array(words, pa.string())
    )


def _month_of(time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.floor_divide(time, 86_400).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _by_month(block: Block) -> Iterator[tuple[Month, Block]]:
    assert block.time is not None
    months = _month_of(block.time)
    if (np.diff(months) < 0).any():
        order = np.argsort(months, kind="stable")
        block, months = _take(block, order), months[order]
    cuts = [0, *(np.flatnonzero(np.diff(months)) + 1).tolist(), len(months)]
    for start, stop in pairwise(cuts):
        yield int(months[start]), _slice(block, start, stop)


def _take(block: Block, order: npt.NDArray[np.int64]) -> Block:
    index = pa.array(order)
    return Block(
        time=None if block.time is None else block.time[order],
        tags={n: c[order] for n, c in block.tags.items()},
        values={n: v[order] for n, v in block.values.items()},
        attributes={n: a.take(index) for n, a in block.attributes.items()},
        lines=block.lines[order],
        key=block.key[order],
    )


def _slice(block: Block, start: int, stop: int) -> Block:
    return Block(
        time=None if block.time is None else block.time[start:stop],
        tags={n: c[start:stop] for n, c in block.tags.items()},
        values={n: v[start:stop] for n, v in block.values.items()},
        attributes={n: a.slice(start, stop - start) for n, a in block.attributes.items()},
        lines=block.lines[start:stop],
        key=block.key[start:stop],
    )
