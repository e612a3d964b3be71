"""What can be asked for: contracts together with what the ledger says is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.contracts.model import Column, Contract, Member

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings


def summaries(settings: Settings) -> list[dict[str, Any]]:
    """Every dataset, sorted by name, with coverage and row count."""
    loaded = services.ledger(settings).dataset_versions()
    known = services.registry(settings, fresh=True)
    return [summary(contract, loaded.get(contract.dataset)) for contract in known.all()]


def detail(settings: Settings, dataset: str) -> dict[str, Any]:
    """One dataset: its summary, measures with units, tags with members.

    Raises
    ------
    NotFoundError
        There is none of that name; the hint names close ones.
    """
    contract = services.registry(settings, fresh=True).get(dataset)
    loaded = services.ledger(settings).dataset(dataset)
    return summary(contract, loaded) | {
        "description": contract.description,
        "limitations": contract.limitations,
        "licence": contract.licence,
        "source_url": contract.source_url,
        "measures": [_measure(column) for column in contract.fields],
        "tags": [_tag(column) for column in contract.tags],
        "attributes": [_described(column) | {"type": column.type.value} for column in contract.attributes],
    }


def summary(contract: Contract, loaded: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a dataset is and how much of it is there.

    Parameters
    ----------
    contract
        Its contract.
    loaded
        The ledger's item of the dataset, None while nothing is loaded.
    """
    item = loaded or {}
    return {
        "dataset": contract.dataset,
        "title": dict(contract.title),
        "publisher": contract.publisher,
        "kind": contract.kind.value,
        "status": contract.status,
        "contract_version": contract.version,
        "zone": contract.time.zone if contract.time else None,
        "interval": contract.time.interval if contract.time else None,
        "version": int(item.get("version") or 0),
        "rows": int(item["rows"]) if item.get("rows") is not None else None,
        "start": item.get("min_time"),
        "end": item.get("max_time"),
        "updated_at": item.get("updated_at"),
    }


def _described(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "unit": column.unit,
        "label": dict(column.label),
        "description": column.description,
    }


def _measure(column: Column) -> dict[str, Any]:
    published = [column.source] if column.source else []
    return _described(column) | {
        "combine": column.combine,
        "published_as": [*published, *column.aliases],
        "synonyms": {language: list(words) for language, words in column.synonyms.items()},
    }


def _tag(column: Column) -> dict[str, Any]:
    described = _described(column)
    del described["unit"]
    return described | {
        "key": column.key,
        "closed": column.closed,
        "members": [_member(member) for member in column.members],
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "code": member.code,
        "label": dict(member.labels),
        "aggregates": list(member.aggregates),
        "spellings": list(member.spellings),
    }
