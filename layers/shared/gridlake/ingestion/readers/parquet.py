"""Parquet files of publishers: any physical types, read as the text or numbers they stand for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gridlake.ingestion import text as texts
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.readers.chunk import Chunk, Wanted
from gridlake.platform.errors import UnreadableFileError

BATCH_ROWS = 131_072


def inspect(content: IO[bytes], *, filename: str, limits: Limits) -> FileFacts:
    """Column names and a sample.

    Raises
    ------
    UnreadableFileError
        ``corrupt_parquet``, ``no_table``.
    """
    del limits
    file = _open(content, filename)
    names = texts.told_apart(file.schema_arrow.names)
    if len(names) < 2:
        raise UnreadableFileError(
            f"{filename} has fewer than two columns",
            code="no_table",
            hint="upload a table with a time or a name beside the values",
        )
    sample: tuple[tuple[str, ...], ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    with _damage_named(filename):
        for batch in file.iter_batches(batch_size=200):
            columns = [_text(column).cast(pa.string()).to_pylist() for column in batch.columns]
            sample = tuple(tuple(v or "" for v in row) for row in zip(*columns, strict=True))
            printed = [i for i, column in enumerate(batch.columns) if not _is_number(column.type)]
            words = tuple(tuple(row[i] for i in printed) for row in sample)
            break
    return FileFacts(
        filename=filename,
        format="parquet",
        size=0,
        header=names,
        header_line=0,
        data_line=1,
        decimal=texts.find_decimal(words, ";"),
        sample=sample,
    )


def read(content: IO[bytes], facts: FileFacts, wanted: Wanted) -> Iterator[Callable[[], Chunk]]:
    """Record batches in order; the line of a row is its number in the file, from 1."""
    file = _open(content, facts.filename)
    own = file.schema_arrow.names
    # Arrow finds columns by name: where a name is used twice all are read, and told apart by their place.
    by_name = len(set(own)) == len(own)
    columns = [own[i] for i in wanted.positions] if by_name else None
    line = 1
    with _damage_named(facts.filename):
        for read_batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            batch = _without_views(read_batch)
            if by_name:
                places = {i: batch.schema.get_field_index(own[i]) for i in wanted.positions}
            else:
                batch = batch.rename_columns(list(facts.header))
                places = {i: i for i in wanted.positions}
            yield partial(_chunk, batch, line, places, facts.filename, wanted)
            line += batch.num_rows


def _chunk(
    batch: pa.RecordBatch, line: int, places: Mapping[int, int], filename: str, wanted: Wanted
) -> Chunk:
    columns: dict[int, pa.Array] = {}
    with _damage_named(filename):
        for i, place in places.items():
            column = batch.column(place)
            if i in wanted.numbers and _is_number(column.type):
                columns[i] = pc.cast(column, pa.float64(), safe=False)
            else:
                text = _text(column)
                columns[i] = text.dictionary_encode() if i in wanted.texts and not _encoded(text) else text

    def raw(rows: list[int]) -> list[str]:
        picked = batch.take(pa.array(rows, pa.int64())).to_pylist()
        return [json.dumps(row, ensure_ascii=False, default=str) for row in picked]

    return Chunk(
        columns=columns,
        lines=np.arange(line, line + batch.num_rows, dtype=np.int64),
        raw=raw,  # type: ignore[arg-type]
    )


def _without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with plain strings for string views (as Polars writes them), which Arrow can't pick rows from."""
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    schema = pa.schema([field.with_type(plain.get(field.type, field.type)) for field in batch.schema])
    return batch if schema.equals(batch.schema) else batch.cast(schema)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _encoded(column: pa.Array) -> bool:
    return bool(pa.types.is_dictionary(column.type))


def _text(column: pa.Array) -> pa.Array:
    """A column as text; instants get a trailing ``Z``, naive stamps and dates are ISO."""
    kind = column.type
    if _encoded(column):
        return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), _text(column.dictionary))
    if pa.types.is_timestamp(kind):
        codes = column.dictionary_encode()
        naive = pc.cast(codes.dictionary, pa.timestamp(kind.unit), safe=False)
        text = pc.cast(pc.cast(naive, pa.timestamp("s"), safe=False), pa.string())
        if kind.tz:
            text = pc.binary_join_element_wise(text, "Z", "")
        return pa.DictionaryArray.from_arrays(codes.indices, text)
    if pa.types.is_floating(kind):
        values = [
            None if v is None else str(int(v)) if float(v).is_integer() else repr(v)
            for v in column.to_pylist()
        ]
        return pa.array(values, pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowInvalid:
            pass
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = pc.cast(
            column, pa.large_binary()
        )  # Parquet does not check that text is UTF-8; casting it back does
    return pc.cast(column, pa.string())


def _open(content: IO[bytes], filename: str) -> pq.ParquetFile:
    with _damage_named(filename):
        return pq.ParquetFile(content, coerce_int96_timestamp_unit="us")


@contextmanager
def _damage_named(filename: str) -> Iterator[None]:
    """What Arrow finds wrong with a file, as an error that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise UnreadableFileError(
            f"{filename} is a damaged Parquet file: {problem}",
            code="corrupt_parquet",
            hint="fetch it again and upload it whole",
        ) from problem
