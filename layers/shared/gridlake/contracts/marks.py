"""YAML with the place of every value, so that a message can name the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

Path = tuple[str | int, ...]


MAX_NODES = 200_000
"""Values a document may hold once its aliases are unfolded: nested aliases can make a page of text explode."""


class Marked:
    """A YAML document and where its parts are.

    Attributes
    ----------
    data
        The document as mappings, lists and scalars; None for an empty text.
    duplicates
        Paths of keys that a mapping holds twice.

    Raises
    ------
    yaml.YAMLError
        The text is not YAML, or uses tags that a contract has no use for.
    """

    def __init__(self, text: str) -> None:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            self._marks: dict[Path, tuple[int, int]] = {(): (1, 1)}
            self.duplicates: list[Path] = []
            if node is not None:
                self._walk(node, (), set())
            self.data: Any = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()

    def at(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column, from 1, of a value or of the closest thing around it that exists."""
        place = tuple(path)
        while place not in self._marks:
            place = place[:-1]
        return self._marks[place]

    def _walk(self, node: yaml.Node, path: Path, above: set[int]) -> None:
        if id(node) in above:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: an anchor refers to itself")
        self._marks.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if len(self._marks) > MAX_NODES:
            raise yaml.YAMLError(f"more than {MAX_NODES:,} values, aliases unfolded")
        within = above | {id(node)}
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = (*path, str(key.value))
                if place in self._marks:
                    self.duplicates.append(place)
                self._marks[place] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self._walk(value, place, within)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(value, (*path, number), within)
