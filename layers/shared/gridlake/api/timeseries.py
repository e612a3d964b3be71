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
    contract = services.registry(settings).get(dataset)
    return execute(build(body, contract), services.influx(settings))
