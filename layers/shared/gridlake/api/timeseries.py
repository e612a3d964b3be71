"""Typed queries over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.api.http import optional_text
from gridlake.knowledge.series import execute
from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.building import build

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings
    from gridlake.questions.ir import SeriesQuery


def query(settings: Settings, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer of a typed query.

    Raises
    ------
    InvalidRequestError, NotFoundError
        The query is malformed or names something unknown.
    InfluxUnavailableError
        The server does not answer.
    """
    dataset = optional_text(body, "dataset", maximum=128)
    if dataset is None:
        raise InvalidRequestError("dataset is missing", pointer="/dataset", hint="GET /datasets lists them")
    return execute(_question(settings, dataset, body), services.influx(settings))


def _question(settings: Settings, dataset: str, body: Mapping[str, Any]) -> SeriesQuery:
    """The typed question; what the contract does not know is looked up in the newest version of it as well."""
    contract = services.contract(settings, dataset)
    try:
        return build(body, contract)
    except InvalidRequestError:
        current = services.registry(settings, fresh=True).get(dataset)
        if current.version == contract.version:
            raise
        return build(body, current)
