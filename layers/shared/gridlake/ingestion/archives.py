"""Compressed files: opened as a bounded stream, never extracted to a name they choose."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

from gridlake.ingestion.facts import Compression, Limits
from gridlake.platform.errors import UnreadableFileError

_BROKEN = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)


class BoundedStream(io.RawIOBase):
    """A decompressed stream that stops at the limits and names what is wrong with the archive."""

    def __init__(
        self, inner: IO[bytes], *, filename: str, kind: Compression, packed: int, limits: Limits
    ) -> None:
        self._inner = inner
        self._filename = filename
        self._kind = kind
        self._packed = max(packed, 1)
        self._limits = limits
        self.total = 0

    def readable(self) -> bool:
        """Always true: RawIOBase asks."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer`.

        Raises
        ------
        UnreadableFileError
            ``truncated_gzip``, ``truncated_zip``, ``corrupt_archive`` or ``zip_bomb``.
        """
        try:
            data = self._inner.read(len(buffer))
        except (*_BROKEN, OSError) as problem:
            if isinstance(problem, OSError) and problem.errno is not None:
                raise  # of the disk; bz2 has no error of its own
            raise self._broken(problem) from problem
        self.total += len(data)
        grown = self.total / self._packed
        if self.total > self._limits.max_uncompressed or (
            self.total > self._limits.ratio_floor and grown > self._limits.max_ratio
        ):
            raise bomb(self._filename, self.total, grown)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the archive too."""
        self._inner.close()
        super().close()

    def _broken(self, problem: BaseException) -> UnreadableFileError:
        if isinstance(problem, EOFError):
            return UnreadableFileError(
                f"{self._filename} ends in the middle of its {self._kind} data, after {self.total} bytes of content",
                code=f"truncated_{self._kind}",
                hint="the download or upload was cut: fetch the file again and upload it whole",
            )
        return UnreadableFileError(
            f"{self._filename} has damaged {self._kind} data after {self.total} bytes of content: {problem}",
            code="corrupt_archive",
            hint="fetch the file again and upload it whole",
        )


def bomb(filename: str, total: int, ratio: float) -> UnreadableFileError:
    """The error for an archive that grows beyond the limits."""
    return UnreadableFileError(
        f"{filename} grows to {total} bytes or more, {ratio:.0f} times its size",
        code="zip_bomb",
        hint="if the file is genuine, upload it without compression",
    )


def open_content(
    path: Path, *, compression: Compression | None, member: str | None, filename: str, limits: Limits
) -> IO[bytes]:
    """The uncompressed content of a file as a buffered binary stream."""
    if compression is None:
        return path.open("rb")
    packed = path.stat().st_size
    inner: IO[bytes]
    if compression == "gzip":
        inner = cast("IO[bytes]", gzip.open(path, "rb"))  # noqa: SIM115 - closed by BoundedStream
    else:
        try:
            archive = zipfile.ZipFile(path)
            info = archive.getinfo(member or "")
            inner = archive.open(info)
            packed = info.compress_size
        except (*_BROKEN, KeyError) as problem:
            raise UnreadableFileError(
                f"{filename} is a damaged zip file: {problem}",
                code="truncated_zip",
                hint="the download or upload was cut: fetch the file again and upload it whole",
            ) from problem
    return io.BufferedReader(
        BoundedStream(inner, filename=filename, kind=compression, packed=packed, limits=limits), 1 << 20
    )


def the_one_member(path: Path, *, filename: str, limits: Limits) -> zipfile.ZipInfo:
    """The only data file of a zip.

    Raises
    ------
    UnreadableFileError
        ``zip_unsafe_path``, ``zip_many_files``, ``empty_file``, ``encrypted_archive``, ``zip_bomb``, ``truncated_zip``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _BROKEN as problem:
        raise UnreadableFileError(
            f"{filename} is a damaged zip file: {problem}",
            code="truncated_zip",
            hint="the download or upload was cut: fetch the file again and upload it whole",
        ) from problem
    for entry in entries:
        if _unsafe(entry.filename):
            raise UnreadableFileError(
                f"{filename} holds a file with a path outside the archive: {entry.filename!r}",
                code="zip_unsafe_path",
                hint="make a new zip of the data file alone",
            )
    files = [e for e in entries if not e.is_dir() and not _clutter(e.filename)]
    if not files:
        raise UnreadableFileError(f"{filename} is a zip without a file in it", code="empty_file")
    if len(files) > 1:
        names = ", ".join(repr(e.filename) for e in files[:5])
        raise UnreadableFileError(
            f"{filename} holds {len(files)} files ({names}{', …' if len(files) > 5 else ''})",
            code="zip_many_files",
            hint="upload each file by itself, or each in a zip of its own",
        )
    entry = files[0]
    if entry.flag_bits & 0x1:
        raise UnreadableFileError(
            f"{filename} is a zip protected by a password",
            code="encrypted_archive",
            hint="upload it without a password",
        )
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > limits.max_uncompressed or (
        entry.file_size > limits.ratio_floor and ratio > limits.max_ratio
    ):
        raise bomb(filename, entry.file_size, ratio)
    return entry


def _unsafe(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or ".." in PurePosixPath(plain).parts or plain[1:2] == ":"


def _clutter(name: str) -> bool:
    """Files that operating systems add to zips by themselves."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in {
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    }
