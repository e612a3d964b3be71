"""What is loaded from each source, who works on it, and what each dataset holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gridlake.ingestion.ledger_items import Item, decode, encode
from gridlake.ingestion.ledger_table import LedgerTable, lease
from gridlake.platform.clock import timestamp
from gridlake.platform.errors import ConflictError


class Turn(NamedTuple):
    """A tenure of a dataset's replacement lock: turns are counted, so that who did not hold it sees that another did."""

    number: int
    taken: bool
    """Whether the lock was held when this was read."""


class SourceLedger(LedgerTable):
    """Locks, current state and pending objects of sources; totals of datasets."""

    def acquire_lock(self, source_id: str, owner: str) -> bool:
        """Lock a source for an execution; False while another holds it. Repeating it renews the lease."""
        return self._update(
            _source_key(source_id, "LOCK"),
            {"owner": owner, "expires_at": lease()},
            condition="attribute_not_exists(pk) OR #owner = :mine OR expires_at < :now",
            values={":mine": owner, ":now": int(time.time())},
        )

    def keep_lock(self, source_id: str, owner: str) -> None:
        """Renew the lease of a lock that the execution holds.

        Raises
        ------
        ConflictError
            The lease was over and another execution has taken the lock (`lock_lost`): stop writing.
        """
        kept = self._update(
            _source_key(source_id, "LOCK"),
            {"expires_at": lease()},
            condition="#owner = :mine",
            values={":mine": owner},
        )
        if not kept:
            raise ConflictError(
                f"the execution {owner} no longer holds the lock of source {source_id}",
                code="lock_lost",
                hint="another execution works on this file; redrive when it has finished if yours is the newer",
            )

    def release_lock(self, source_id: str, owner: str) -> None:
        """Give the lock back; nothing happens if the execution no longer holds it."""
        self._delete(_source_key(source_id, "LOCK"), condition="#owner = :mine", values={":mine": owner})

    def turn(self, dataset: str) -> Turn:
        """Who replaces points of a dataset: the number of the last turn, and whether it is still going on."""
        item = self._get(_replacement_key(dataset)) or {}
        return Turn(int(item.get("turn", 0)), item.get("expires_at", 0) >= time.time())

    def take_turn(self, dataset: str, owner: str) -> Turn | None:
        """Lock the replacing of a dataset's points for an execution; None while another has it.

        Repeating it renews the lease and answers the same turn.
        """
        key = _replacement_key(dataset)
        if self._update(
            key,
            {"expires_at": lease()},
            condition="#owner = :mine AND expires_at >= :now",
            values={":mine": owner, ":now": int(time.time())},
        ):
            return self.turn(dataset)
        known = self.turn(dataset)
        changed = {"turn": known.number + 1, "owner": owner, "expires_at": lease()}
        taken = self._update(
            key,
            changed,
            condition="attribute_not_exists(pk) OR (expires_at < :now AND #turn = :known)",
            values={":now": int(time.time()), ":known": known.number},
        )
        return Turn(known.number + 1, True) if taken else None

    def end_turn(self, dataset: str, owner: str) -> None:
        """Let others replace points of the dataset; nothing happens if the execution does not hold its lock."""
        self._update(
            _replacement_key(dataset),
            {"owner": "", "expires_at": 0},
            condition="#owner = :mine",
            values={":mine": owner},
        )

    def current(self, source_id: str) -> Item | None:
        """What is loaded from a source; None before its first load."""
        return self._get(_source_key(source_id, "CURRENT"))

    def set_current(self, source_id: str, loaded: Mapping[str, Any]) -> None:
        """Say what is loaded from a source, and that no unfinished attempt has left anything else."""
        self._put({**_source_key(source_id, "CURRENT"), **loaded})
        self._delete(_source_key(source_id, "PENDING"))

    def pending(self, source_id: str) -> list[Item]:
        """Silver objects that unfinished attempts may have written: ``key`` and, once known, ``version_id``."""
        item = self._get(_source_key(source_id, "PENDING"))
        return list(item["silver"]) if item else []

    def set_pending(self, source_id: str, silver: list[Item]) -> None:
        """Remember silver objects before they are written; gone with the next `set_current`."""
        self._put({**_source_key(source_id, "PENDING"), "silver": silver, "updated_at": timestamp()})

    def set_rows(self, dataset: str, source_id: str, rows: Mapping[str, Any]) -> int:
        """Say what a source contributes to a dataset, count the change, and answer the dataset's new version.

        Repeating it counts once more, which does no harm: the version only tells that something changed.

        Parameters
        ----------
        rows
            ``rows``, ``points``, ``min_time``, ``max_time``.
        """
        self._put({"pk": f"DATASET#{dataset}", "sk": f"SOURCE#{source_id}", **rows})
        return self._count_change(dataset)

    def drop_rows(self, dataset: str, source_id: str) -> int:
        """Say that a source no longer contributes to a dataset; answers the dataset's new version."""
        self._delete({"pk": f"DATASET#{dataset}", "sk": f"SOURCE#{source_id}"})
        return self._count_change(dataset)

    def dataset(self, name: str) -> Item | None:
        """Totals of a dataset: version, rows, points, sources, min_time, max_time, updated_at; None if never loaded."""
        return self._get({"pk": f"DATASET#{name}", "sk": "VERSION"})

    def dataset_versions(self) -> dict[str, Item]:
        """Totals of all datasets by name."""
        arguments = {
            "IndexName": "gsi1",
            "KeyConditionExpression": "gsi1pk = :partition",
            "ExpressionAttributeValues": {":partition": encode("DATASET")},
        }
        return {item["dataset"]: item for item in map(decode, self._query_all(arguments))}

    def _count_change(self, dataset: str) -> int:
        """Raise the version, then write the totals unless a later change has done so.

        Whoever gets version n put its own rows before; so the totals read after getting the highest n hold the rows of
        all, and the condition lets no earlier reader overwrite them.
        """
        key = {"pk": f"DATASET#{dataset}", "sk": "VERSION"}
        version = self._add(key, "version")
        arguments = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :source)",
            "ExpressionAttributeValues": {":pk": encode(key["pk"]), ":source": encode("SOURCE#")},
            "ConsistentRead": True,
        }
        sources = [decode(item) for item in self._query_all(arguments)]
        self._update(
            key,
            {
                "gsi1pk": "DATASET",
                "gsi1sk": dataset,
                "dataset": dataset,
                "updated_at": timestamp(),
                "totals_of": version,
                "sources": len(sources),
                "rows": sum(s.get("rows") or 0 for s in sources),
                "points": sum(s.get("points") or 0 for s in sources),
                "min_time": min((s["min_time"] for s in sources if s.get("min_time")), default=None),
                "max_time": max((s["max_time"] for s in sources if s.get("max_time")), default=None),
            },
            condition="attribute_not_exists(totals_of) OR totals_of < :version",
            values={":version": version},
        )
        return version


def _source_key(source_id: str, kind: str) -> dict[str, str]:
    return {"pk": f"SOURCE#{source_id}", "sk": kind}


def _replacement_key(dataset: str) -> dict[str, str]:
    return {"pk": f"DATASET#{dataset}", "sk": "REPLACEMENT"}
