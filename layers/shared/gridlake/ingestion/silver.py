"""Publishing one source's silver files: upload, drop what it no longer has, register in the Glue Data Catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from gridlake.ingestion import catalog
from gridlake.platform.aws_errors import calling, translate
from gridlake.platform.clients import client

UNCATALOGUED = "uncatalogued"
_UPLOADS = 8
_DELETE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Published:
    """Keys in the lake bucket: what the source has now, and what was removed because it no longer has it."""

    keys: list[str]
    deleted: list[str]


def publish(
    out: Path, *, lake_bucket: str, quarantine_bucket: str, glue_database: str, previous: Sequence[str]
) -> Published:
    """Put the results of `gridlake.ingestion.pipeline.process_file` where readers find them.

    New files are uploaded before stale ones are deleted, so that a reader never finds less than one whole version.
    Every step may be repeated: a second call with the same arguments changes nothing.

    Parameters
    ----------
    previous
        Silver keys that this source may have in the lake already; those not written again are deleted.

    Raises
    ------
    TransientError, PermanentError
        As `gridlake.platform.aws_errors` translates them.
    """
    files = _files(out, "silver")
    quarantined = _files(out, "quarantine")
    with ThreadPoolExecutor(_UPLOADS) as pool:
        for done in [
            *(pool.submit(_upload, path, lake_bucket, key) for key, path in files.items()),
            *(pool.submit(_upload, path, quarantine_bucket, key) for key, path in quarantined.items()),
        ]:
            done.result()
    stale = sorted(key for key in set(previous) - set(files) if key.startswith("silver/"))
    _delete(lake_bucket, stale)
    old = {_quarantine_key(key) for key in [*files, *stale]} - set(quarantined)
    _delete(quarantine_bucket, sorted(old))
    catalog.register(files, bucket=lake_bucket, database=glue_database)
    catalog.forget_empty(stale, bucket=lake_bucket, database=glue_database)
    return Published(sorted(files), stale)


def _files(out: Path, folder: str) -> dict[str, Path]:
    return {p.relative_to(out).as_posix(): p for p in sorted((out / folder).rglob("*")) if p.is_file()}


def _quarantine_key(silver_key: str) -> str:
    """Where the quarantined rows of the source of a silver key are."""
    parts = silver_key.split("/")
    source = parts[2] if parts[1] == UNCATALOGUED else parts[-1].removesuffix(".parquet")
    return f"quarantine/{parts[1]}/{source}.parquet"


def _upload(path: Path, bucket: str, key: str) -> None:
    with calling("write", f"s3://{bucket}/{key}"):
        client("s3").upload_file(str(path), bucket, key)


def _delete(bucket: str, keys: Sequence[str]) -> None:
    for batch in _batches(keys, _DELETE_BATCH):
        if len(batch) == 1:
            with calling("delete", f"s3://{bucket}/{batch[0]}"):
                client("s3").delete_object(Bucket=bucket, Key=batch[0])
            continue
        with calling("delete", f"s3://{bucket}/{batch[0]} and {len(batch) - 1} more"):
            answer = client("s3").delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": k} for k in batch], "Quiet": True}
            )
        for error in answer.get("Errors", ()):
            # S3 answers 200 and lists what it refused; as a single delete each would have been an error.
            refused = ClientError(
                {"Error": {"Code": error.get("Code", ""), "Message": error.get("Message", "")}},
                "DeleteObject",
            )
            raise translate(refused, action="delete", resource=f"s3://{bucket}/{error.get('Key')}")


def _batches(keys: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (keys[i : i + size] for i in range(0, len(keys), size))
