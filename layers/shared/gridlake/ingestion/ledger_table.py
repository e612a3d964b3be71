"""The few DynamoDB calls the ledger is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from gridlake.ingestion.ledger_items import Item, decode, encode, encode_item
from gridlake.platform.aws_errors import calling

LEASE_SECONDS = 20 * 60
"""How long an execution keeps what it claimed without a sign of life: longer than any function may run."""


def lease() -> int:
    """Epoch second at which a lease taken now is over."""
    return int(time.time()) + LEASE_SECONDS


class LedgerTable:
    """Items of one table by their keys. Reads are consistent; a failed condition is an answer, not an error.

    Raises
    ------
    TransientError, PermanentError
        By every method: DynamoDB does not answer for now, or refuses (`access_denied`, `resource_missing`).
    """

    def __init__(self, table: str, client: Any = None) -> None:
        if client is None:
            from gridlake.platform.clients import client as shared_client

            client = shared_client("dynamodb")
        self.table = table
        self._client = client

    def _get(self, key: Mapping[str, str]) -> Item | None:
        with calling("read", self._name):
            answer = self._client.get_item(TableName=self.table, Key=encode_item(key), ConsistentRead=True)
        return decode(answer["Item"]) if answer.get("Item") else None

    def _put(self, item: Mapping[str, Any], condition: str | None = None) -> bool:
        extra = {"ConditionExpression": condition} if condition else {}
        return self._write("put_item", Item=encode_item(item), **extra)

    def _update(
        self,
        key: Mapping[str, str],
        changes: Mapping[str, Any],
        *,
        condition: str,
        values: Mapping[str, Any],
        remove: tuple[str, ...] = (),
    ) -> bool:
        """Set and remove attributes where the condition holds. It may name ``#owner``, a reserved word."""
        names = {f"#{name}": name for name in (*changes, *remove)}
        if "#owner" in condition:
            names["#owner"] = "owner"
        expression = "SET " + ", ".join(f"#{name} = :set_{name}" for name in changes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        return self._write(
            "update_item",
            Key=encode_item(key),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                **{f":set_{name}": encode(value) for name, value in changes.items()},
                **{name: encode(value) for name, value in values.items()},
            },
        )

    def _add(self, key: Mapping[str, str], counter: str) -> int:
        with calling("write", self._name):
            answer = self._client.update_item(
                TableName=self.table,
                Key=encode_item(key),
                UpdateExpression="ADD #counter :one",
                ExpressionAttributeNames={"#counter": counter},
                ExpressionAttributeValues={":one": encode(1)},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"][counter]["N"])

    def _delete(
        self, key: Mapping[str, str], *, condition: str | None = None, values: Mapping[str, Any] | None = None
    ) -> bool:
        if condition is None:
            return self._write("delete_item", Key=encode_item(key))
        return self._write(
            "delete_item",
            Key=encode_item(key),
            ConditionExpression=condition,
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={name: encode(value) for name, value in (values or {}).items()},
        )

    def _query(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        with calling("read", self._name):
            answer: dict[str, Any] = self._client.query(TableName=self.table, **arguments)
        return answer

    def _query_all(self, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            answer = self._query({**arguments, **start})
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _write(self, operation: str, **arguments: Any) -> bool:
        """Whether the write was done; False where its condition does not hold."""
        from botocore.exceptions import ClientError

        with calling("write", self._name):
            try:
                getattr(self._client, operation)(TableName=self.table, **arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                    return False
                raise
        return True

    @property
    def _name(self) -> str:
        return f"the ledger ({self.table})"
