"""A range of an object version is a range, not the whole object.

Stock: a GET with ``versionId`` ignores the ``Range`` header and answers 200 with every byte. Clients that read a large version in
parallel ranges (boto3's ``download_file``) then write the whole object at each offset and end with a file of repeated rows.

Wraps ``s3._get_object``: cuts what a versioned read answers.
"""

from __future__ import annotations

from typing import Any

from gridlake_local.extensions import require

Response = tuple[int, dict[str, str], Any]


def apply() -> None:
    """Honour ``Range`` on versioned reads."""
    from ministack.services import s3

    stock = require(s3, "_get_object", "bucket_name", "key", "headers", "query_params")
    parse = require(s3, "_parse_range", "range_header", "total")

    def get_object(
        bucket_name: str, key: str, headers: dict[str, str], query_params: dict[str, Any] | None = None
    ) -> Response:
        status, answered, body = stock(bucket_name, key, headers, query_params)
        wanted = headers.get("range", "")
        if status != 200 or not wanted or not (query_params or {}).get("versionId"):
            return status, answered, body
        found = parse(wanted, len(body))
        if found is None:
            refusal = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, refusal, s3._xml_body(s3._range_error_xml(bucket_name, key))
        start, end = found
        part = body[start : end + 1]
        cut = {
            "Content-Length": str(len(part)),
            "Content-Range": f"bytes {start}-{end}/{len(body)}",
        }
        # The checksum is that of the whole object.
        kept = {k: v for k, v in answered.items() if not k.lower().startswith("x-amz-checksum-")}
        return 206, {**kept, **cut}, part

    s3._get_object = get_object
