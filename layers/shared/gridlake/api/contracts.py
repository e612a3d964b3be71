"""Registering contracts and reading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridlake.api import services
from gridlake.platform.errors import InvalidRequestError

if TYPE_CHECKING:
    from gridlake.platform.settings import Settings

MAX_CONTRACT_BYTES = 512 * 1024
"""Largest contract that is read."""

FORMATS = ("json", "yaml")


def read_request(body: str, *, content_type: str, filename: str | None) -> tuple[str, str]:
    """Contract text and file name of a registration.

    Parameters
    ----------
    body
        YAML, or JSON with the YAML text in `contract` and perhaps the name in `filename`.
    content_type
        ``application/json`` or any YAML type; without one a body that starts with ``{`` is JSON.
    filename
        Name given in the query string; used in messages only.

    Raises
    ------
    InvalidRequestError
        There is no contract in it.
    """
    name: Any = filename or "contract.yaml"
    text: Any = body
    if "json" in content_type.lower() or (not content_type and body.lstrip().startswith("{")):
        try:
            request = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(
                "the body is not JSON", hint='send {"contract": "yaml text"}'
            ) from error
        if not isinstance(request, dict):
            raise InvalidRequestError("the body is not a JSON object", hint='send {"contract": "yaml text"}')
        text, name = request.get("contract"), request.get("filename") or name
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequestError(
            "the body holds no contract", pointer="/contract", hint="send the YAML text"
        )
    if not isinstance(name, str) or len(name) > 255 or not name.isprintable():
        raise InvalidRequestError(
            "filename must be a printable name of at most 255 characters", pointer="/filename"
        )
    return text, name


def register(settings: Settings, text: str, *, filename: str) -> dict[str, Any]:
    """Register a contract, or find that this very one is registered.

    Raises
    ------
    ContractError
        It is invalid, or its version did not grow although its text changed.
    """
    from gridlake.contracts.publishing import register as publish

    known = services.registry(settings, fresh=True)
    contract = publish(text, lake_bucket=settings.lake_bucket, filename=filename)
    before = known.get(contract.dataset).version if contract.dataset in known else None
    return {
        "dataset": contract.dataset,
        "version": contract.version,
        "status": "unchanged" if before == contract.version else "registered",
    }


def document(settings: Settings, dataset: str) -> Mapping[str, Any]:
    """The ODCS document of a dataset."""
    return services.registry(settings, fresh=True).document(dataset)


def wants_yaml(requested: str | None) -> bool:
    """Whether ``?format=`` asks for YAML.

    Raises
    ------
    InvalidRequestError
        It asks for something else than JSON or YAML.
    """
    if requested not in (None, *FORMATS):
        raise InvalidRequestError("format must be json or yaml", pointer="/format", allowed=list(FORMATS))
    return requested == "yaml"


def to_yaml(odcs: Mapping[str, Any]) -> str:
    """A document as YAML, in the order it was written."""
    import yaml

    return str(yaml.safe_dump(dict(odcs), sort_keys=False, allow_unicode=True, width=110))
