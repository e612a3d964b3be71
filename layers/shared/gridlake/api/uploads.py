"""Addresses to upload files to."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gridlake.api.http import only, optional_text
from gridlake.platform.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridlake.platform.settings import Settings

EXPIRES_SECONDS = 900
DEFAULT_PUBLISHER = "uploads"
DEFAULT_CONTENT_TYPE = "application/octet-stream"
MAX_FILENAME_BYTES = 255
MAX_PUT_BYTES = 5 * 1024**3
"""S3 takes at most 5 GiB in one PUT."""

_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


class FileTooLargeError(InvalidRequestError):
    """The file is larger than the platform takes."""

    code = "file_too_large"
    status = 413


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRequest:
    """A file that somebody wants to upload."""

    filename: str
    publisher: str
    content_type: str
    size: int
    """Bytes; the address takes exactly as many."""

    @property
    def key(self) -> str:
        """Key in the raw bucket. Spaces, plus signs and unicode stay as they are."""
        return f"raw/{self.publisher}/{self.filename}"


def read_request(body: Mapping[str, Any]) -> UploadRequest:
    """The upload that a JSON body asks for.

    Raises
    ------
    InvalidRequestError
        A name is missing, unknown, of the wrong type, or could leave its folder; the pointer says which.
    """
    only(body, ("filename", "publisher", "size", "content_type"))
    filename = optional_text(body, "filename", maximum=MAX_FILENAME_BYTES)
    if filename is None:
        raise InvalidRequestError(
            "filename is missing", pointer="/filename", hint='send {"filename": "CURVA_CARGA_2023.csv"}'
        )
    publisher = optional_text(body, "publisher", maximum=64) or DEFAULT_PUBLISHER
    # Without its size in the signature an address would take any number of bytes up to S3's own limit.
    size = body.get("size")
    if size is None:
        raise InvalidRequestError(
            "size is missing", pointer="/size", hint='send the bytes of the file: {"size": 1875122}'
        )
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidRequestError("size must be a whole number of bytes", pointer="/size")
    content_type = optional_text(body, "content_type", maximum=127) or DEFAULT_CONTENT_TYPE
    if not content_type.isascii() or not content_type.isprintable():
        raise InvalidRequestError(
            "content_type must be a media type such as text/csv", pointer="/content_type"
        )
    return UploadRequest(
        filename=safe_name(filename, "filename"),
        publisher=safe_name(publisher, "publisher"),
        content_type=content_type,
        size=size,
    )


def safe_name(name: str, field: str) -> str:
    """The name unchanged, when it is the name of one file or folder and nothing else.

    Raises
    ------
    InvalidRequestError
        It holds a path separator or a control character, is ``.`` or ``..``, or is too long for a key.
    """
    if "/" in name or "\\" in name or name.strip() in {".", ".."}:
        raise InvalidRequestError(
            f"{field} must be one name without folders",
            pointer=f"/{field}",
            hint="send the last part of the path only; the folder is the publisher",
        )
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or sign in _BIDIRECTIONAL for sign in name):
        raise InvalidRequestError(
            f"{field} holds a control character", pointer=f"/{field}", hint="rename the file"
        )
    if len(name.encode("utf-8")) > MAX_FILENAME_BYTES:
        raise InvalidRequestError(
            f"{field} has more than {MAX_FILENAME_BYTES} bytes", pointer=f"/{field}", hint="shorten the name"
        )
    return name


def presign(settings: Settings, request: UploadRequest) -> dict[str, Any]:
    """A presigned PUT, valid for `EXPIRES_SECONDS`, for this key, content type and length only.

    Raises
    ------
    FileTooLargeError
        The file is larger than one PUT or the platform takes.
    """
    maximum = min(settings.large_max_bytes, MAX_PUT_BYTES)
    if request.size > maximum:
        raise FileTooLargeError(
            f"{request.filename} has {request.size:,} bytes; at most {maximum:,} are taken",
            pointer="/size",
            hint="split the file by year or month, or compress it",
        )
    parameters: dict[str, Any] = {
        "Bucket": settings.raw_bucket,
        "Key": request.key,
        "ContentType": request.content_type,
        "ContentLength": request.size,
    }
    headers = {"content-type": request.content_type, "content-length": str(request.size)}
    url = _client().generate_presigned_url(
        "put_object", Params=parameters, ExpiresIn=EXPIRES_SECONDS, HttpMethod="PUT"
    )
    return {
        "url": url,
        "method": "PUT",
        "headers": headers,
        "key": request.key,
        "bucket": settings.raw_bucket,
        "expires_in": EXPIRES_SECONDS,
        "max_bytes": maximum,
    }


@cache
def _client() -> Any:
    """An S3 client whose presigned addresses are SigV4 of the bucket's region, without a checksum of an empty body."""
    import boto3
    from botocore.config import Config

    # Virtual style names the region in the address. Without it S3 redirects the PUT to a new bucket outside us-east-1,
    # for hours, to a host that the signature does not cover.
    config = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
    return boto3.session.Session().client("s3", config=config)
