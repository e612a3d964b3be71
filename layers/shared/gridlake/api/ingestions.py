"""What became of uploads, and running one again."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.platform.clients import client
from gridlake.platform.errors import ConflictError, InvalidRequestError, NotFoundError, PermanentError

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings

STATUSES = ("received", "running", "loaded", "partial", "uncatalogued", "failed", "superseded")
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_DRAFT_BYTES = 1024 * 1024
_IDENTIFIER = re.compile(r"ing-[0-9a-f]{20}")
_INTERNAL = frozenset({"lease_expires_at"})
_PARAMETERS = ("limit", "cursor", "status", "dataset", "key")


def page(settings: Settings, parameters: Mapping[str, str]) -> dict[str, Any]:
    """A page of ingestions, newest first.

    Parameters
    ----------
    settings
        Where the ledger is.
    parameters
        `limit`, `cursor`, `status`, `dataset`, `key`: all optional.

    Raises
    ------
    InvalidRequestError
        A parameter is unknown or malformed; the pointer names it.
    """
    for name in parameters:
        if name not in _PARAMETERS:
            raise InvalidRequestError(
                f"there is no parameter {name[:64]!r}", pointer=f"/{name[:64]}", allowed=list(_PARAMETERS)
            )
    status = parameters.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidRequestError(
            f"there is no status {status[:64]!r}", pointer="/status", allowed=list(STATUSES)
        )
    cursor = parameters.get("cursor") or None
    try:
        items, following = services.ledger(settings).list(
            limit=_limit(parameters.get("limit")),
            cursor=cursor,
            status=status,
            dataset=parameters.get("dataset") or None,
            key=parameters.get("key") or None,
        )
    except PermanentError as error:
        # A cursor of other filters is well-formed, but names no place in this list.
        if cursor is None or error.details.get("aws_code") != "ValidationException":
            raise
        raise InvalidRequestError(
            "the cursor belongs to another list",
            code="invalid_cursor",
            pointer="/cursor",
            hint="start again without cursor, and keep the filters the same from page to page",
        ) from error
    return {"items": [shown(item) for item in items], "next_cursor": following}


def one(settings: Settings, ingestion_id: str) -> dict[str, Any]:
    """One ingestion.

    Raises
    ------
    NotFoundError
        There is none of that identifier.
    """
    return shown(_record(settings, ingestion_id))


def draft(settings: Settings, ingestion_id: str) -> dict[str, Any]:
    """The contract drafted for a file that no contract fits.

    Raises
    ------
    NotFoundError
        There is no such ingestion, no draft of it, or one too large to hand out: half of it would be none.
    """
    record = _record(settings, ingestion_id)
    key = record.get("draft_key")
    if not key:
        raise NotFoundError(
            f"no contract was drafted for {record['file']}: its status is {record['status']}",
            code="no_draft",
            hint="only an uncatalogued file has a draft",
        )
    key = str(key).removeprefix(f"s3://{settings.lake_bucket}/")
    s3 = client("s3")
    try:
        body = s3.get_object(Bucket=settings.lake_bucket, Key=key)["Body"].read(MAX_DRAFT_BYTES + 1)
    except s3.exceptions.NoSuchKey as error:
        raise NotFoundError(
            f"the draft of {record['file']} is gone",
            code="no_draft",
            hint="redrive the ingestion to draft it again",
        ) from error
    if len(body) > MAX_DRAFT_BYTES:
        raise NotFoundError(
            f"the contract drafted for {record['file']} has more than {MAX_DRAFT_BYTES:,} bytes",
            code="draft_too_large",
            hint="upload the table in parts of fewer columns, or write the contract by hand",
        )
    return {"ingestion_id": ingestion_id, "key": key, "contract": body.decode("utf-8")}


def redrive(settings: Settings, ingestion_id: str) -> dict[str, Any]:
    """Start the ingestion of the same object version again.

    Raises
    ------
    ConflictError
        It is under way, or a newer version of the file exists, or the file is gone.
    NotFoundError
        There is no such ingestion.
    """
    _known_form(ingestion_id)
    record = services.ledger(settings).check_redrive(ingestion_id)
    if record["status"] == "superseded":
        raise _superseded(record)
    _require_latest(record)
    event = services.ledger(settings).redrive_event(record)
    moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
    started = client("stepfunctions").start_execution(
        stateMachineArn=settings.ingestion_state_machine_arn,
        name=f"redrive-{ingestion_id}-{moment}",
        input=json.dumps(event, default=str),
    )
    execution = str(started["executionArn"]).rsplit(":", 1)[-1]
    return {"ingestion_id": ingestion_id, "status": "running", "execution": execution}


def shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as the API shows it: without what only the workflow needs."""
    return {name: value for name, value in record.items() if name not in _INTERNAL}


def _known_form(ingestion_id: str) -> None:
    if not _IDENTIFIER.fullmatch(ingestion_id):
        raise NotFoundError(
            f"there is no ingestion {ingestion_id[:64]!r}",
            code="ingestion_not_found",
            hint="`gridlake ingestions` (GET /ingestions) lists them",
        )


def _record(settings: Settings, ingestion_id: str) -> Mapping[str, Any]:
    _known_form(ingestion_id)
    return services.ledger(settings).get(ingestion_id)


def _superseded(record: Mapping[str, Any]) -> ConflictError:
    return ConflictError(
        f"a newer upload of {record['key']} replaced this one",
        code="ingestion_superseded",
        hint="redrive the newest ingestion of the key",
    )


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT or len(text) > 9:
        raise InvalidRequestError(f"limit must be a number from 1 to {MAX_LIMIT}", pointer="/limit")
    return int(text)


def _require_latest(record: Mapping[str, Any]) -> None:
    """Refuse to run an object version that was deleted or replaced: its rows are no longer what the file says."""
    from botocore.exceptions import ClientError

    try:
        head = client("s3").head_object(Bucket=record["bucket"], Key=record["key"])
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 405):
            raise
        raise ConflictError(
            f"{record['key']} was deleted", code="file_deleted", hint="upload the file again"
        ) from error
    latest = head.get("VersionId")
    if latest and record.get("version_id") and latest != record["version_id"]:
        raise _superseded(record)
