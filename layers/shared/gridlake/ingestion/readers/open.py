"""The reader for a file, by its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from gridlake.ingestion.archives import open_content
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.readers.chunk import Chunk, Wanted


def read_chunks(
    path: Path, facts: FileFacts, wanted: Wanted, *, limits: Limits
) -> Iterator[Callable[[], Chunk]]:
    """Rows of a file in order, as calls that each give a `Chunk`.

    Raises
    ------
    UnreadableFileError
        While iterating: truncated or damaged content, a bomb.
    """
    if facts.format == "csv":
        from gridlake.ingestion.readers import delimited

        with open_content(
            path, compression=facts.compression, member=facts.member, filename=facts.filename, limits=limits
        ) as stream:
            yield from delimited.read(stream, facts, wanted)
        return
    from gridlake.ingestion.detect import open_seekable
    from gridlake.ingestion.readers import parquet, workbook

    reader = parquet.read if facts.format == "parquet" else workbook.read
    with open_seekable(
        path, compression=facts.compression, member=facts.member, filename=facts.filename, limits=limits
    ) as content:
        yield from reader(content, facts, wanted)
