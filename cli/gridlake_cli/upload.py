"""One file on its way into the raw bucket, by a presigned URL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from gridlake_cli.client import Api, transport, unreachable
from gridlake_cli.errors import CommandError

if TYPE_CHECKING:
    import httpx

CHUNK = 1 << 20
LARGEST = 5 * 1024**3
"""Bytes that S3 takes in one PUT."""


@dataclass(frozen=True)
class Uploaded:
    """Where a file has arrived."""

    key: str
    version_id: str | None
    ingestion_id: str | None
    """None when the store did not say which version it wrote: then the ledger is asked by key."""
    etag: str | None


@dataclass
class FileBody:
    """The content of a file, read again from its start at every try, reporting how far it is."""

    path: Path
    size: int
    """Bytes that were announced."""
    progress: Callable[[int], None] = field(default=lambda _: None)

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                done += len(chunk)
                if done > self.size:
                    break
                yield chunk
                self.progress(done)
        if done != self.size:
            raise CommandError(
                f"{self.path} was changed while it was uploaded: it had {self.size:,} bytes at first.",
                hint="Ingest it again when whatever writes it has finished.",
                code="file_changed",
            )


def ingestion_id(bucket: str, key: str, version_id: str) -> str:
    """Identity of the ingestion that this object version starts."""
    return "ing-" + hashlib.sha256(f"{bucket}/{key}/{version_id}".encode()).hexdigest()[:20]


class Uploader:
    """Uploads files; thread-safe, its connections to the store are shared."""

    def __init__(self, api: Api, *, publisher: str | None, timeout: float = 300.0) -> None:
        import httpx

        self._api = api
        self._publisher = publisher
        # The key of the API never goes to the store.
        self._store = httpx.Client(timeout=httpx.Timeout(timeout, connect=5.0), transport=transport())

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()

    def upload(self, path: Path, progress: Callable[[int], None] = lambda _: None) -> Uploaded:
        """Upload one file.

        Raises
        ------
        CommandError
            The file is too big for one upload, was changed meanwhile, or the store refused it.
        """
        size = path.stat().st_size
        if path.name != path.name.encode("utf-8", "replace").decode():
            raise CommandError(
                f"{path.name!a} is not UTF-8: no key can hold that name.",
                hint="Rename the file.",
                code="invalid_filename",
            )
        if size > LARGEST:
            raise CommandError(
                f"{path} has {size / 1024**3:.1f} GB; one upload takes at most 5 GB.",
                hint="Split the file, for instance by month.",
                code="file_too_large",
            )
        answer, grant = self._put(path, size, progress)
        if answer.status_code == 403:
            # A URL that expired while waiting its turn: one fresh one.
            answer, grant = self._put(path, size, progress)
        if answer.is_error:
            raise CommandError(
                f"{path} could not be uploaded: {_store_message(answer)}.",
                hint="Try again; if it stays, look at the raw bucket's policy and at `gridlake status`.",
                code="upload_refused",
            )
        key = str(grant["key"])
        version = answer.headers.get("x-amz-version-id")
        bucket = grant.get("bucket") or _bucket(str(grant["url"]), key)
        known = ingestion_id(bucket, key, version) if version and bucket else None
        return Uploaded(key, version, known, answer.headers.get("etag", "").strip('"') or None)

    def _put(
        self, path: Path, size: int, progress: Callable[[int], None]
    ) -> tuple[httpx.Response, dict[str, Any]]:
        import httpx

        request = {"filename": path.name, "publisher": self._publisher, "size": size}
        grant = self._api.post(
            "/uploads", {name: value for name, value in request.items() if value is not None}
        )
        headers = {name.lower(): value for name, value in (grant.get("headers") or {}).items()}
        headers["content-length"] = str(size)
        try:
            answer = self._store.request(
                grant.get("method", "PUT"),
                grant["url"],
                content=FileBody(path, size, progress),
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise unreachable(urlsplit(grant["url"])._replace(path="", query="").geturl(), error) from error
        return answer, grant


def _bucket(url: str, key: str) -> str | None:
    """Bucket of a presigned URL, path style or virtual-hosted."""
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    if path == key:
        return (parts.hostname or "").split(".s3", 1)[0] or None
    return path.removesuffix("/" + key) if path.endswith("/" + key) else None


def _store_message(answer: httpx.Response) -> str:
    """What S3 says in its XML."""
    try:
        root = ElementTree.fromstring(answer.content)  # noqa: S314 the store's own answer, expat refuses bombs
        return f"{root.findtext('Code')}: {root.findtext('Message')}"
    except ElementTree.ParseError:
        return f"HTTP {answer.status_code} {answer.reason_phrase}"
