"""The ledger: one record per upload, and what is loaded from each source.

All of it is one DynamoDB table. Events are delivered at least once and functions may die anywhere, so every write is
conditional or can be repeated:

- ``INGESTION#{id}`` belongs to one execution at a time. Another may take it over only as a redrive, or when the lease
  of the one that held it is over. Writes of an execution that lost it are refused.
- ``SOURCE#{id}/LOCK`` is held by one execution at a time, so that two uploads of a key never interleave.
- ``SOURCE#{id}/CURRENT`` says what is loaded, ``…/PENDING`` what an unfinished attempt may have left behind.
- ``DATASET#{name}/REPLACEMENT`` is held by one execution at a time while it deletes and rewrites points of the dataset.
- ``DATASET#{name}/SOURCE#{id}`` has the rows of each source, ``…/VERSION`` the totals and a counter of changes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from gridlake.ingestion.ledger_items import Item, cursor_of, decode, encode, key_of
from gridlake.ingestion.ledger_sources import SourceLedger
from gridlake.ingestion.ledger_table import LEASE_SECONDS, lease
from gridlake.platform import ids
from gridlake.platform.clock import timestamp
from gridlake.platform.errors import ConflictError, GridlakeError, NotFoundError
from gridlake.workflow.context import REDRIVE, Execution, Source

__all__ = ["FINISHED", "LEASE_SECONDS", "UNFINISHED", "Claim", "Ledger", "Page", "accounted"]

UNFINISHED = frozenset({"received", "running"})
FINISHED = frozenset({"loaded", "partial", "uncatalogued", "failed", "superseded"})

MAX_LISTED = 200
_SCANNED_PAGES = 20


class Claim(StrEnum):
    """Whose the upload is after `Ledger.claim`."""

    OURS = "ours"
    DUPLICATE = "duplicate"
    """The event was delivered before; the execution it started then has it or has finished it."""


class Page(NamedTuple):
    """One page of records."""

    items: list[Item]
    cursor: str | None
    """Where the next page begins; None after the last."""


class Ledger(SourceLedger):
    """The ledger: records of uploads here, sources and datasets in `SourceLedger`.

    Parameters
    ----------
    table
        Name of the DynamoDB table.
    client
        DynamoDB client; the package's cached one by default.
    """

    def claim(self, source: Source, execution: Execution) -> Claim:
        """Make the upload's record, or take it over, for this execution.

        Safe to repeat: an execution that has the record already gets it again.

        Raises
        ------
        ConflictError
            A redrive of an upload that another execution is working on (`ingestion_running`).
        """
        received = timestamp()
        fresh = {
            **_ingestion_key(source.ingestion_id),
            "gsi1pk": "INGESTION",
            "gsi1sk": f"{received}#{source.ingestion_id}",
            "gsi2pk": f"SOURCE#{source.source_id}",
            "gsi2sk": received,
            "ingestion_id": source.ingestion_id,
            "status": "received",
            "stage": "route",
            "file": source.ref.filename,
            "bucket": source.bucket,
            "key": source.key,
            "version_id": source.version_id,
            "etag": source.etag,
            "size": source.size,
            "source_id": source.source_id,
            "rows_in": 0,
            "rows_loaded": 0,
            "rows_quarantined": 0,
            "quarantine": {},
            "points_written": 0,
            "received_at": received,
            "started_at": execution.started_at,
            "attempts": 1,
            "unchanged": False,
            "execution": execution.name,
            "lineage": {"raw": source.ref.uri, "execution": execution.id},
            "lease_expires_at": lease(),
        }
        if self._put(fresh, "attribute_not_exists(pk)"):
            return Claim.OURS
        known = self.get(source.ingestion_id)
        if known["execution"] == execution.name:
            return Claim.OURS if known["status"] in UNFINISHED else Claim.DUPLICATE
        alive = known["status"] in UNFINISHED and known["lease_expires_at"] > time.time()
        if not source.redrive and (alive or known["status"] in FINISHED):
            return Claim.DUPLICATE
        if alive:
            raise _running(known)
        taken = self._update(
            _ingestion_key(source.ingestion_id),
            {
                "status": "received",
                "stage": "route",
                "execution": execution.name,
                "lineage": {"raw": source.ref.uri, "execution": execution.id},
                "started_at": execution.started_at,
                "attempts": known["attempts"] + 1,
                "lease_expires_at": lease(),
            },
            remove=("error", "finished_at", "seconds", "timings"),
            condition="execution = :known AND attempts = :attempts",
            values={":known": known["execution"], ":attempts": known["attempts"]},
        )
        if not taken:
            raise _running(known)
        return Claim.OURS

    def get(self, ingestion_id: str) -> Item:
        """The record of an upload.

        Raises
        ------
        NotFoundError
            There is none (`unknown_ingestion`).
        """
        item = self._get(_ingestion_key(ingestion_id))
        if item is None:
            raise NotFoundError(
                f"there is no ingestion {ingestion_id!r}",
                code="unknown_ingestion",
                hint="list the ingestions to find its id; a new upload takes a second to appear",
            )
        return item

    def list(
        self,
        limit: int = 50,
        cursor: str | None = None,
        status: str | None = None,
        dataset: str | None = None,
        key: str | None = None,
    ) -> Page:
        """Records, newest first.

        Parameters
        ----------
        limit
            Records wanted, at most `MAX_LISTED`. With a filter a page may hold fewer although more follow.
        cursor
            `Page.cursor` of the page before.
        status, dataset
            Only records with these values.
        key
            Only uploads of this raw key.
        """
        limit = max(1, min(limit, MAX_LISTED))
        index = "gsi2" if key else "gsi1"
        partition = f"SOURCE#{ids.source_id(key)}" if key else "INGESTION"
        wanted = {name: value for name, value in (("status", status), ("dataset", dataset)) if value}
        arguments: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": f"{index}pk = :partition",
            "ExpressionAttributeValues": {":partition": encode(partition)},
            "ScanIndexForward": False,
            "Limit": limit if not wanted else MAX_LISTED,
        }
        if wanted:
            arguments["FilterExpression"] = " AND ".join(f"#{n} = :{n}" for n in wanted)
            arguments["ExpressionAttributeNames"] = {f"#{n}": n for n in wanted}
            arguments["ExpressionAttributeValues"] |= {f":{n}": encode(v) for n, v in wanted.items()}
        start = key_of(cursor) if cursor else None
        found: list[dict[str, Any]] = []
        for _ in range(_SCANNED_PAGES):
            answer = self._query(arguments | ({"ExclusiveStartKey": start} if start else {}))
            found += answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if start is None or len(found) >= limit:
                break
        if len(found) > limit:
            found = found[:limit]
            start = {name: found[-1][name] for name in ("pk", "sk", f"{index}pk", f"{index}sk")}
        return Page([decode(item) for item in found], cursor_of(start) if start else None)

    def update(self, ingestion_id: str, execution: str, **fields: Any) -> None:
        """Change fields of a record and renew its lease.

        Raises
        ------
        ConflictError
            Another execution has taken the record over (`ingestion_taken_over`).
        """
        changed = self._update(
            _ingestion_key(ingestion_id),
            {**fields, "lease_expires_at": lease()},
            condition="execution = :execution",
            values={":execution": execution},
        )
        if not changed:
            raise ConflictError(
                f"the ingestion {ingestion_id} belongs to another execution than {execution}",
                code="ingestion_taken_over",
                hint="nothing to do: the other execution finishes it",
            )

    def finish(self, ingestion_id: str, execution: str, *, status: str, **fields: Any) -> None:
        """End a record with its final status and fields; errors as `update`.

        Raises
        ------
        GridlakeError
            The fields lose or invent rows (`rows_unaccounted`): read must be loaded plus quarantined, and the
            quarantined ones those of the reasons. Nothing is written.
        """
        if not accounted(fields):
            raise _unaccounted(ingestion_id, fields)
        self.update(ingestion_id, execution, status=status, finished_at=timestamp(), **fields)

    def fail(self, ingestion_id: str, execution: str, *, error: Mapping[str, Any], **fields: Any) -> None:
        """End a record as failed, with ``{"code", "message", "hint"}``; errors as `update`."""
        self.finish(ingestion_id, execution, status="failed", error=dict(error), **fields)

    def check_redrive(self, ingestion_id: str) -> Item:
        """The record of an upload that may be run again.

        Raises
        ------
        NotFoundError
            There is no such record (`unknown_ingestion`).
        ConflictError
            An execution is working on it (`ingestion_running`).
        """
        record = self.get(ingestion_id)
        if record["status"] in UNFINISHED and record["lease_expires_at"] > time.time():
            raise _running(record)
        return record

    @staticmethod
    def redrive_event(record: Mapping[str, Any]) -> dict[str, Any]:
        """Input of an execution that runs an upload again, in the shape of the S3 event."""
        return {
            "version": "0",
            "source": REDRIVE,
            "detail-type": "Object Created",
            "time": timestamp(),
            "detail": {
                "bucket": {"name": record["bucket"]},
                "object": {
                    "key": record["key"],
                    "version-id": record["version_id"],
                    "etag": record["etag"],
                    "size": record["size"],
                },
            },
        }


def accounted(fields: Mapping[str, Any]) -> bool:
    """Whether rows read are rows loaded plus quarantined, and the quarantined ones those of the reasons."""
    read, loaded, kept = (fields.get(name) or 0 for name in ("rows_in", "rows_loaded", "rows_quarantined"))
    return bool(read == loaded + kept and kept == sum((fields.get("quarantine") or {}).values()))


def _unaccounted(ingestion_id: str, fields: Mapping[str, Any]) -> GridlakeError:
    read, loaded, kept = (fields.get(name, 0) for name in ("rows_in", "rows_loaded", "rows_quarantined"))
    return GridlakeError(
        f"{ingestion_id}: {read} rows were read, {loaded} loaded and {kept} quarantined: {fields.get('quarantine')}",
        code="rows_unaccounted",
        hint="this is a defect of Gridlake; please report it together with the raw file",
    )


def _ingestion_key(ingestion_id: str) -> dict[str, str]:
    return {"pk": f"INGESTION#{ingestion_id}", "sk": "INGESTION"}


def _running(record: Mapping[str, Any]) -> ConflictError:
    return ConflictError(
        f"the ingestion {record['ingestion_id']} is being worked on by {record['execution']} (stage {record['stage']})",
        code="ingestion_running",
        hint="wait until it has finished; a killed execution gives up its lease after "
        f"{LEASE_SECONDS // 60} minutes",
    )
