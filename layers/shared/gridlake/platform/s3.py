"""Exact versions of S3 objects: naming them, reading them, copying them to local disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self

from gridlake.platform.aws_errors import calling
from gridlake.platform.clients import client
from gridlake.platform.errors import PermanentError, TransientError

SCRATCH_RESERVE_BYTES = 32 * 1024**2
"""Disk space left untouched beside a download."""

_VERSION_MARK = "?versionId="


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object, or one version of it."""

    bucket: str
    key: str
    version_id: str | None = None

    @property
    def uri(self) -> str:
        """``s3://bucket/key``, followed by ``?versionId=…`` where the version is fixed. The key is not escaped."""
        version = f"{_VERSION_MARK}{self.version_id}" if self.version_id else ""
        return f"s3://{self.bucket}/{self.key}{version}"

    @property
    def filename(self) -> str:
        """Last part of the key."""
        return PurePosixPath(self.key).name or self.key

    @classmethod
    def parse(cls, uri: str) -> Self:
        """The object of an s3:// URI as `uri` prints it.

        Raises
        ------
        PermanentError
            It is no such URI (`invalid_s3_uri`).
        """
        bucket, slash, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not slash or not key:
            raise PermanentError(f"{uri!r} is not an s3://bucket/key address", code="invalid_s3_uri")
        key, _, version_id = key.rpartition(_VERSION_MARK) if _VERSION_MARK in key else (key, "", "")
        return cls(bucket, key, version_id or None)

    def arguments(self) -> dict[str, str]:
        """Arguments of a boto3 call on this object."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What HeadObject says."""

    version_id: str | None
    etag: str
    size: int
    last_modified: datetime


def head(ref: ObjectRef) -> ObjectFacts:
    """Size, ETag, version and upload time of an object (of its current version where `ref` fixes none).

    Raises
    ------
    PermanentError
        It does not exist (`object_missing`), the version neither, or the role lacks the permission.
    TransientError
        S3 does not answer for now.
    """
    with calling("read", ref.uri):
        answer = client("s3").head_object(**ref.arguments())
    return ObjectFacts(
        version_id=answer.get("VersionId"),
        etag=answer["ETag"].strip('"'),
        size=int(answer["ContentLength"]),
        last_modified=answer["LastModified"],
    )


def newest_version(bucket: str, key: str) -> str | None:
    """Version id of the last upload to a key, also behind a delete marker; None where S3 keeps none.

    Raises
    ------
    TransientError, PermanentError
        S3 does not answer for now, or refuses.
    """
    with calling("list the versions of", f"s3://{bucket}/{key}"):
        pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        # Versions come by key, each key's newest first; the key itself sorts before every longer one.
        found = next((v for page in pages for v in page.get("Versions", ())), None)
    return str(found["VersionId"]) if found and found["Key"] == key else None


def download(ref: ObjectRef, folder: Path, *, size: int | None = None) -> Path:
    """Copy an object version to a file of `folder`, in parallel ranges, never held in memory.

    Parameters
    ----------
    ref
        The version to read. The file is called ``source`` whatever the key, which may hold anything.
    folder
        Existing folder; the caller removes it.
    size
        Bytes, when known; else they are asked from S3.

    Raises
    ------
    PermanentError
        As `head`; or the disk has no room for it (`scratch_full`).
    TransientError
        S3 does not answer for now, or what arrived is not as long as the object (`incomplete_download`).
    """
    size = head(ref).size if size is None else size
    free = shutil.disk_usage(folder).free
    if free < size + SCRATCH_RESERVE_BYTES:
        raise PermanentError(
            f"{ref.uri} has {size} bytes and the scratch folder only {free} free",
            code="scratch_full",
            hint="raise the function's EphemeralStorage, then redrive the ingestion",
        )
    path = folder / "source"
    extra = {"VersionId": ref.version_id} if ref.version_id else {}
    with calling("read", ref.uri):
        client("s3").download_file(ref.bucket, ref.key, str(path), ExtraArgs=extra)
    # Parts of a parallel download that were cut or came whole would pass for rows of the file.
    if (got := path.stat().st_size) != size:
        raise TransientError(
            f"the download of {ref.uri} has {got} bytes instead of {size}",
            code="incomplete_download",
            hint="the workflow tries again by itself; redrive the ingestion if that was in vain",
        )
    return path


def read_json(ref: ObjectRef) -> Any:
    """The value of a JSON object."""
    with calling("read", ref.uri):
        body = client("s3").get_object(**ref.arguments())["Body"].read()
    return json.loads(body)


def write_json(ref: ObjectRef, value: Any) -> None:
    """Store a value as a JSON object, replacing it whole."""
    body = json.dumps(value, ensure_ascii=False, default=str).encode()
    with calling("write", ref.uri):
        client("s3").put_object(Bucket=ref.bucket, Key=ref.key, Body=body, ContentType="application/json")
