"""What a file is, told by its content and never by its extension alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import IO

from gridlake.ingestion import text as texts
from gridlake.ingestion.archives import open_content, the_one_member
from gridlake.ingestion.facts import MIB, Compression, FileFacts, Format, Limits
from gridlake.ingestion.matching import Match, match
from gridlake.platform.errors import UnreadableFileError

__all__ = ["FileFacts", "Limits", "Match", "match", "sniff"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"BZh": "bzip2 data",
    b"\x28\xb5\x2f\xfd": "Zstandard data",
    b"\xfd7zXZ": "xz data",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow IPC file",
    b"CDF\x01": "a NetCDF file",
    b"\x89HDF": "an HDF5 file",
}


def sniff(path: Path, *, filename: str, limits: Limits = Limits()) -> FileFacts:  # noqa: B008 - frozen
    """Find how a file is to be read.

    Parameters
    ----------
    path
        The file on local disk.
    filename
        Name under which it was published; used in messages and kept for matching.

    Raises
    ------
    UnreadableFileError
        Codes: ``empty_file``, ``truncated_gzip``, ``truncated_zip``, ``corrupt_archive``, ``zip_bomb``,
        ``zip_unsafe_path``, ``zip_many_files``, ``nested_archive``, ``encrypted_archive``, ``encrypted_workbook``,
        ``corrupt_workbook``, ``corrupt_parquet``, ``binary_garbage``, ``unsupported_format``,
        ``pdf_not_supported_yet``, ``no_table``.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnreadableFileError(f"{filename} is empty (0 bytes)", code="empty_file", hint="upload it again")
    with path.open("rb") as file:
        magic = file.read(8)
    compression: Compression | None = None
    member: str | None = None
    whole: int | None = size
    if magic.startswith(b"\x1f\x8b"):
        compression, whole = "gzip", None
    elif magic.startswith(b"PK") and _zip_format(path) is None:
        entry = the_one_member(path, filename=filename, limits=limits)
        compression, member, whole = "zip", entry.filename, entry.file_size
    with open_content(
        path, compression=compression, member=member, filename=filename, limits=limits
    ) as stream:
        head = _read(stream, texts.HEAD_BYTES)
        kind = _format(head, path=path, compression=compression, filename=filename)
        if kind == "csv":
            complete = len(head) < texts.HEAD_BYTES
            scan = size if compression is None else 64 * MIB
            encoding = texts.find_encoding(head, stream, scan=scan)
        if compression and size <= limits.check_compressed:
            while stream.read(4 * MIB):
                pass
    if kind != "csv":
        from gridlake.ingestion.readers import parquet, workbook

        inspect = parquet.inspect if kind == "parquet" else workbook.inspect
        with open_seekable(
            path, compression=compression, member=member, filename=filename, limits=limits
        ) as content:
            found = inspect(content, filename=filename, limits=limits)
        return replace(
            found, format=kind, size=size, compression=compression, member=member, uncompressed_size=whole
        )
    facts = _text_facts(head, encoding, complete=complete, filename=filename)
    return replace(facts, size=size, compression=compression, member=member, uncompressed_size=whole)


def open_seekable(
    path: Path, *, compression: Compression | None, member: str | None, filename: str, limits: Limits
) -> IO[bytes]:
    """Content that can be read in any order: the file itself, or in memory where it is compressed (bounded)."""
    stream = open_content(path, compression=compression, member=member, filename=filename, limits=limits)
    if compression is None:
        return stream
    with stream:
        data = stream.read(limits.max_workbook + 1)
    if len(data) > limits.max_workbook:
        raise UnreadableFileError(
            f"{filename} holds a workbook or Parquet file of more than {limits.max_workbook} bytes in a {compression}",
            code="zip_bomb",
            hint="upload it without compression",
        )
    return io.BytesIO(data)


def _read(stream: IO[bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def _format(head: bytes, *, path: Path, compression: Compression | None, filename: str) -> Format:
    if not head.strip(b"\0 \r\n\t\xef\xbb\xbf"):
        raise UnreadableFileError(
            f"{filename} has no content but blanks", code="empty_file", hint="upload it again"
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(_OLE):
        return _ole(head, path if compression is None else None, filename)
    if head.startswith(b"PK"):
        inner = _zip_format(path) if compression is None else _zip_format_of(head)
        if inner:
            return inner
        raise _nested(filename)
    if head.startswith(b"\x1f\x8b"):
        raise _nested(filename)
    if head.lstrip().startswith(b"%PDF"):
        raise UnreadableFileError(
            f"{filename} is a PDF document",
            code="pdf_not_supported_yet",
            hint="tables in PDF documents can't be ingested yet; upload the publisher's CSV or workbook",
        )
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise _unsupported(filename, name)
    start = head[:200].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
        raise _unsupported(filename, "an HTML or XML page (often the error page of a failed download)")
    if start.startswith((b"{", b'[{"', b"[{", b"[[")):
        raise _unsupported(filename, "a JSON document")
    return "csv"


def _text_facts(head: bytes, encoding: str, *, complete: bool, filename: str) -> FileFacts:
    if texts.is_garbage(head, encoding):
        raise UnreadableFileError(
            f"{filename} is neither text nor a workbook, Parquet, gzip or zip file",
            code="binary_garbage",
            hint="check that the right file was uploaded and that no transfer damaged it",
        )
    decoded = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    layout = texts.find_layout(decoded, complete=complete)
    if layout is None:
        raise UnreadableFileError(
            f"{filename} has no header row with two columns or more, separated by ; , tab or |",
            code="no_table",
            hint="upload a table with a row of column names above the values",
        )
    return FileFacts(
        filename=filename,
        format="csv",
        size=0,
        encoding=encoding,
        delimiter=layout.delimiter,
        decimal=texts.find_decimal(layout.rows, layout.delimiter),
        header=layout.header,
        header_line=layout.header_line,
        data_line=layout.data_line,
        sample=layout.rows,
    )


def _zip_format(path: Path) -> Format | None:
    """Workbook format of a zip container; None for an ordinary (or damaged) zip."""
    import struct
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return _container(set(archive.namelist()))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return None


def _zip_format_of(head: bytes) -> Format | None:
    if b"[Content_Types].xml" in head or b"xl/" in head:
        return "xlsx"
    return "ods" if b"opendocument.spreadsheet" in head[:200] else None


def _container(names: set[str]) -> Format | None:
    if "[Content_Types].xml" in names and any(n.startswith("xl/") for n in names):
        return "xlsx"
    return "ods" if "content.xml" in names and "mimetype" in names else None


def _ole(head: bytes, path: Path | None, filename: str) -> Format:
    directory = head
    if path is not None:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - 4 * MIB))
            directory += file.read()
    if "EncryptedPackage".encode("utf-16-le") in directory:
        raise UnreadableFileError(
            f"{filename} is a workbook protected by a password",
            code="encrypted_workbook",
            hint="save it without a password and upload it again",
        )
    if any(name.encode("utf-16-le") in directory for name in ("Workbook", "Book")):
        return "xls"
    raise _unsupported(filename, "an Office document that is not a workbook")


def _nested(filename: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{filename} is an archive inside an archive",
        code="nested_archive",
        hint="upload the inner file by itself",
    )


def _unsupported(filename: str, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{filename} is {what}",
        code="unsupported_format",
        hint="upload CSV (also in gzip or zip), XLSX, XLS, ODS or Parquet",
    )
