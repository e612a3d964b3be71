"""Silver partitions as the time series room reads them: local or in S3, a row group at a time."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.contracts.model import Contract

SEQUENCE_KEY = b"gridlake.sequence"
SOURCE_ROW = "_source_row"
_MONTH = re.compile(r"year=(\d{4})/month=(\d{1,2})")


@dataclass(frozen=True, slots=True)
class PartitionRef:
    """One silver Parquet object.

    Attributes
    ----------
    uri
        Local path or ``s3://bucket/key``.
    version_id
        Version of the S3 object; the latest when None. A replaced partition is read by its old version.
    """

    uri: str
    version_id: str | None = None

    @property
    def month(self) -> tuple[int, int] | None:
        """UTC year and month of the partition, from its path."""
        found = _MONTH.search(self.uri)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def id(self) -> str:
        """What a checkpoint knows the partition by."""
        return f"{self.uri}?versionId={self.version_id}" if self.version_id else self.uri


@contextmanager
def opened(ref: PartitionRef, s3: Any = None) -> Iterator[pq.ParquetFile]:
    """The partition as an open Parquet file; an S3 object is first copied to a temporary file.

    Parameters
    ----------
    s3
        S3 client; the package's cached one by default.
    """
    if not ref.uri.startswith("s3://"):
        with pq.ParquetFile(Path(ref.uri), memory_map=True) as file:
            yield file
        return
    if s3 is None:
        from gridlake.platform.clients import client

        s3 = client("s3")
    parts = urlsplit(ref.uri, allow_fragments=False)
    version = {"VersionId": ref.version_id} if ref.version_id else {}
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        body = s3.get_object(Bucket=parts.netloc, Key=ref.uri.split("/", 3)[3], **version)["Body"]
        for block in iter(lambda: body.read(1 << 20), b""):
            copy.write(block)
        copy.flush()
        with pq.ParquetFile(copy.name, memory_map=True) as file:
            yield file


def sequence(file: pq.ParquetFile) -> int:
    """Precedence of the partition's source: milliseconds of its upload; 0 where the file does not say."""
    return int((file.schema_arrow.metadata or {}).get(SEQUENCE_KEY, b"0"))


def present(file: pq.ParquetFile, names: Sequence[str]) -> list[str]:
    """Those of the columns that the file has, in the order given."""
    existing = set(file.schema_arrow.names)
    return [name for name in names if name in existing]


def series_columns(contract: Contract) -> list[str]:
    """Columns of a dataset that make its points: time, tags and fields."""
    return ["time", *(c.name for c in contract.tags), *(c.name for c in contract.fields)]


def read_table(ref: PartitionRef, names: Sequence[str], s3: Any = None) -> tuple[pa.Table, int]:
    """Columns of a whole partition, tags dictionary-encoded as they are stored, and its precedence."""
    with opened(ref, s3) as file:
        return file.read(columns=present(file, names)), sequence(file)


def time_span(ref: PartitionRef, s3: Any = None) -> tuple[Any, Any] | None:
    """First and last time of a partition, from the statistics of its row groups; None where they do not say."""
    with opened(ref, s3) as file:
        column, metadata = file.schema_arrow.get_field_index("time"), file.metadata
        groups = range(metadata.num_row_groups) if column >= 0 else ()
        found = [metadata.row_group(number).column(column).statistics for number in groups]
    if not found or not all(one is not None and one.has_min_max for one in found):
        return None
    return min(one.min for one in found), max(one.max for one in found)
