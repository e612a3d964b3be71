"""All contracts: those built into the release and those registered at run time.

Built-in contracts are compiled to one JSON file when the layer is built, because parsing YAML costs an API function
more than its whole request. Run-time contracts live in the lake: ``contracts/{dataset}/{version}.yaml`` as given, and
``contracts/index.json`` with the current document of each, so that reading them takes one request.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gridlake.contracts.model import Contract
from gridlake.contracts.odcs import parse
from gridlake.platform.errors import ContractError, NotFoundError, TransientError

INDEX_KEY = "contracts/index.json"
"""Key, in the lake bucket, of the index of contracts registered at run time."""

TTL_SECONDS = 30.0
"""How long a function trusts what it read of the run-time contracts."""

_PACKAGE = Path(__file__).resolve()
_lock = threading.Lock()
_loaded: dict[str, tuple[float, Registry]] = {}


class Registry:
    """Contracts by dataset. Documents are parsed when first asked for."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._documents: dict[str, Mapping[str, Any]] = {}
        for document in documents:
            name = str(document["id"])
            known = self._documents.get(name)
            if known is None or version_key(str(document["version"])) > version_key(str(known["version"])):
                self._documents[name] = document
        self._contracts: dict[str, Contract] = {}

    @classmethod
    def builtin(cls) -> Registry:
        """The contracts of this release.

        They come from ``$GRIDLAKE_CONTRACTS`` (a compiled JSON file or a folder of YAML files) when it is set, else
        from ``contracts.json`` beside the layer, else from the ``contracts/`` folder of the repository.
        """
        return _builtin(_location())

    @classmethod
    def load(cls, lake_bucket: str | None = None) -> Registry:
        """Built-in contracts and, from the lake, those registered at run time.

        Where both have a dataset the higher version counts. The answer is kept for `TTL_SECONDS`, and longer while
        the lake can't be read.

        Parameters
        ----------
        lake_bucket
            Name of the lake bucket; without one only the built-in contracts are read.
        """
        if not lake_bucket:
            return cls.builtin()
        now = time.monotonic()
        with _lock:
            entry = _loaded.get(lake_bucket)
            if entry and now - entry[0] < TTL_SECONDS:
                return entry[1]
        from gridlake.contracts.publishing import read_index

        try:
            index, _ = read_index(lake_bucket)
        except TransientError:
            if entry is None:
                raise
            return entry[1]
        registered = [found["document"] for found in index.values()]
        builtin = cls.builtin()
        registry = cls([*builtin.documents(), *registered]) if registered else builtin
        with _lock:
            _loaded[lake_bucket] = (now, registry)
        return registry

    @staticmethod
    def forget() -> None:
        """Drop what was kept of run-time contracts, after registering one or between tests."""
        with _lock:
            _loaded.clear()

    def __contains__(self, dataset: object) -> bool:
        return dataset in self._documents

    def __len__(self) -> int:
        return len(self._documents)

    def names(self) -> tuple[str, ...]:
        """Datasets that have a contract, sorted."""
        return tuple(sorted(self._documents))

    def get(self, dataset: str) -> Contract:
        """The contract of a dataset.

        Raises
        ------
        NotFoundError
            Nobody registered one; the hint names the closest datasets.
        """
        contract = self._contracts.get(dataset)
        if contract is None:
            contract = self._contracts[dataset] = parse(self.document(dataset))
        return contract

    def all(self) -> tuple[Contract, ...]:
        """Every contract, sorted by dataset."""
        return tuple(self.get(name) for name in self.names())

    def document(self, dataset: str) -> Mapping[str, Any]:
        """The ODCS document of a dataset.

        Raises
        ------
        NotFoundError
            Nobody registered one; the hint names the closest datasets.
        """
        try:
            return self._documents[dataset]
        except KeyError:
            raise self._unknown(dataset) from None

    def documents(self) -> tuple[Mapping[str, Any], ...]:
        """Every ODCS document, sorted by dataset."""
        return tuple(self._documents[name] for name in self.names())

    def _unknown(self, dataset: str) -> NotFoundError:
        close = difflib.get_close_matches(dataset, self._documents, n=3, cutoff=0.5)
        hint = (
            f"did you mean {', '.join(close)}?" if close else "`gridlake datasets` (GET /datasets) lists them"
        )
        return NotFoundError(
            f"there is no dataset {dataset!r}", code="unknown_dataset", hint=hint, suggestions=close
        )


def version_key(version: str) -> tuple[int, int, int]:
    """Order of a semantic version ``MAJOR.MINOR.PATCH``.

    Raises
    ------
    ContractError
        It isn't one.
    """
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    if not match:
        raise ContractError(
            f"version {version!r} is not MAJOR.MINOR.PATCH", hint="write e.g. `version: 1.0.0`"
        )
    return int(match[1]), int(match[2]), int(match[3])


def read_folder(folder: Path) -> list[dict[str, Any]]:
    """Documents of all YAML files under a folder, in path order.

    Raises
    ------
    ContractError
        A file is not YAML or not a mapping.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            document = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506 - CSafeLoader is a safe loader
        except yaml.YAMLError as problem:
            raise ContractError(f"{path.name} is not YAML: {problem}") from problem
        if not isinstance(document, dict):
            raise ContractError(f"{path.name} holds no contract")
        documents.append(document)
    return documents


def _location() -> Path:
    override = os.environ.get("GRIDLAKE_CONTRACTS")
    if override:
        return Path(override)
    layer = _PACKAGE.parents[3] / "contracts.json"
    return layer if layer.is_file() else _PACKAGE.parents[4] / "contracts"


@cache
def _builtin(location: Path) -> Registry:
    if location.is_file():
        return Registry(json.loads(location.read_bytes())["contracts"])
    if location.is_dir():
        return Registry(read_folder(location))
    raise ContractError(
        f"the built-in contracts are neither a file nor a folder at {location}",
        hint="set GRIDLAKE_CONTRACTS, or rebuild the shared layer",
    )
