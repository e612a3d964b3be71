"""Keeping libraries that nobody uses out of a process that would import them by itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType


class _Withheld:
    """Finder that knows some modules only to say that they are absent.

    ``sys.modules[name] = None`` says so to Python's own import statement alone: compiled modules get the None.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"{name} is withheld from this process", name=name)


def withhold(*names: str) -> None:
    """Make later imports of these modules fail as if they were not installed; those already imported stay.

    Parameters
    ----------
    names
        Top-level modules, e.g. ``"pandas"``: pyarrow imports it with the first array it makes, where it can be had.
    """
    sys.meta_path.insert(0, _Withheld(frozenset(names)))
