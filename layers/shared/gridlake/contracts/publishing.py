"""Contracts registered at run time, kept in the lake.

``contracts/{dataset}/{version}.yaml`` is what somebody sent, byte for byte, and never changes;
``contracts/index.json`` holds the current document of each dataset and is all a reader needs. The YAML is written
first: a crash in between leaves a version that registering again completes.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from typing import Any

from gridlake.contracts.model import Contract
from gridlake.contracts.registry import INDEX_KEY, Registry, version_key
from gridlake.platform import clients
from gridlake.platform.aws_errors import calling
from gridlake.platform.errors import ConflictError, GridlakeError, PermanentError, TransientError

_ATTEMPTS = 8
_CHANGED_MEANWHILE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


def register(text: str, *, lake_bucket: str, filename: str) -> Contract:
    """Validate a contract and keep it, so that files of its dataset are recognised from now on.

    The same content again changes nothing. Changed content needs a higher version.

    Parameters
    ----------
    text
        ODCS YAML or JSON.
    lake_bucket
        Bucket the contract is kept in.
    filename
        Name the messages give.

    Raises
    ------
    ContractError
        It has errors; ``details["problems"]`` lists all with their lines.
    ConflictError
        The dataset has this version, or a higher one, with other content.
    TransientError
        Others kept registering at the same moment.
    """
    import yaml

    from gridlake.contracts.validation import require_valid

    Registry.forget()
    registry = Registry.load(lake_bucket)
    contract = require_valid(text, filename=filename, others=registry.all())
    document = json.loads(json.dumps(yaml.safe_load(text), default=str))
    if _is_known(document, contract, registry):
        return contract
    _store(text, contract, lake_bucket)
    _index(document, contract, lake_bucket)
    Registry.forget()
    return contract


def read_index(lake_bucket: str) -> tuple[dict[str, Any], str | None]:
    """Contracts registered at run time by dataset, and the ETag of the index; empty when there is none.

    Each entry has ``version``, ``sha256`` and ``document``.
    """
    body, etag = _read(lake_bucket, INDEX_KEY)
    return (json.loads(body)["datasets"], etag) if body else ({}, None)


def digest(document: Any) -> str:
    """SHA-256 of what a document says, whatever its layout and comments."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_known(document: Any, contract: Contract, registry: Registry) -> bool:
    if contract.dataset not in registry:
        return False
    current = registry.document(contract.dataset)
    if digest(current) == digest(document):
        return True
    known = str(current["version"])
    if version_key(contract.version) > version_key(known):
        return False
    major, minor, patch = version_key(known)
    raise ConflictError(
        f"{contract.dataset} {known} is registered with other content than this {contract.version}",
        code="contract_version_conflict",
        hint=f"raise the version, e.g. to {major}.{minor}.{patch + 1}, or {major + 1}.0.0 if columns changed meaning",
    )


def _store(text: str, contract: Contract, lake_bucket: str) -> None:
    """Write the version once; what is there already with the same text is left alone."""
    key = f"contracts/{contract.dataset}/{contract.version}.yaml"
    kept, _ = _read(lake_bucket, key)
    if kept is not None and not _says_the_same(kept.decode("utf-8", "replace"), text):
        raise ConflictError(
            f"{contract.dataset} {contract.version} was registered before with other content",
            code="contract_version_conflict",
            hint="raise the version",
        )
    if kept is None:
        with calling("write", f"s3://{lake_bucket}/{key}"):
            clients.client("s3").put_object(
                Bucket=lake_bucket, Key=key, Body=text.encode(), ContentType="application/yaml"
            )


def _index(document: Any, contract: Contract, lake_bucket: str) -> None:
    """Put the document into the index, by compare-and-swap on its ETag."""
    entry = {"version": contract.version, "sha256": digest(document), "document": document}
    for attempt in range(_ATTEMPTS):
        datasets, etag = read_index(lake_bucket)
        there = datasets.get(contract.dataset)
        if there and version_key(there["version"]) >= version_key(contract.version):
            if there["sha256"] == entry["sha256"]:
                return
            raise ConflictError(
                f"{contract.dataset} {there['version']} was registered at the same moment",
                code="contract_version_conflict",
                hint="raise the version above it",
            )
        datasets[contract.dataset] = entry
        body = json.dumps({"datasets": datasets}, ensure_ascii=False, separators=(",", ":")).encode()
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            with calling("write", f"s3://{lake_bucket}/{INDEX_KEY}"):
                clients.client("s3").put_object(
                    Bucket=lake_bucket, Key=INDEX_KEY, Body=body, ContentType="application/json", **condition
                )
            return
        except GridlakeError as error:
            if error.details.get("aws_code") not in _CHANGED_MEANWHILE:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    raise TransientError(
        f"the index of contracts kept changing while {contract.dataset} was registered", hint="send it again"
    )


def _read(lake_bucket: str, key: str) -> tuple[bytes | None, str | None]:
    """Body and ETag of an object; (None, None) when there is none."""
    try:
        with calling("read", f"s3://{lake_bucket}/{key}"):
            answer = clients.client("s3").get_object(Bucket=lake_bucket, Key=key)
            return answer["Body"].read(), answer["ETag"]
    except PermanentError as error:
        if error.error_code == "object_missing":
            return None, None
        raise


def _says_the_same(one: str, other: str) -> bool:
    import yaml

    try:
        return digest(yaml.safe_load(one)) == digest(yaml.safe_load(other))
    except yaml.YAMLError:
        return False
