"""Items of the ledger's table: how values are stored in DynamoDB and how a page of them is continued."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gridlake.platform.errors import InvalidRequestError

Item = dict[str, Any]

CURSOR_LIMIT = 2_000
SMALLEST = 1e-120
"""Numbers closer to zero are stored as zero: DynamoDB's end at 1e-130."""
_INTERNAL = frozenset({"pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"})


def encode(value: Any) -> dict[str, Any]:
    """A plain value as a DynamoDB attribute value. Floats become numbers of the same decimal text; NaN becomes null."""
    from boto3.dynamodb.types import TypeSerializer

    encoded: dict[str, Any] = dict(TypeSerializer().serialize(_plain(value)))
    return encoded


def encode_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item for PutItem."""
    return {name: encode(value) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> Item:
    """A stored item without its keys, numbers as int where they are whole, else float."""
    from boto3.dynamodb.types import TypeDeserializer

    reader = TypeDeserializer()
    return {name: _python(reader.deserialize(value)) for name, value in item.items() if name not in _INTERNAL}


def cursor_of(key: Mapping[str, Any]) -> str:
    """Opaque text of the key after which the next page begins."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def key_of(cursor: str) -> dict[str, Any]:
    """Inverse of `cursor_of`.

    Raises
    ------
    InvalidRequestError
        The text is no cursor of ours (`invalid_cursor`).
    """
    try:
        if len(cursor) > CURSOR_LIMIT:
            raise ValueError("too long")
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not set(key) <= _INTERNAL or not all(
            list(v) == ["S"] and isinstance(v["S"], str) for v in key.values()
        ):
            raise ValueError("not a key")
        return dict(key)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRequestError(
            "the cursor is not one that a list has given",
            code="invalid_cursor",
            hint="leave it out to start with the newest",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str | int | Decimal):
        return value
    if isinstance(value, float):
        if abs(value) < SMALLEST:
            return Decimal(0)
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    return str(value)


def _python(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {k: _python(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_python(v) for v in value]
    return value
