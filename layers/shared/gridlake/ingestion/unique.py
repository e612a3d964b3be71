"""Rows of one partition that hold the same key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Keep = Literal["first", "last", "none"]
Keys = npt.NDArray[np.int64]


class Dropped(NamedTuple):
    """A row that gives way: its position in the partition, and the position of the row that stays (or -1)."""

    position: int
    identical: bool
    winner: int


def repeated(keys: Keys) -> npt.NDArray[np.int64]:
    """Positions of the rows whose key occurs more than once, ordered by key, then as they were.

    Keys in ascending or descending order are proven distinct without sorting, which is how most files are.
    """
    if len(keys) < 2:
        return np.empty(0, np.int64)
    steps = np.diff(keys)
    if (steps > 0).all() or (steps < 0).all():
        return np.empty(0, np.int64)
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(twice) == 0:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(np.isin(keys, twice))
    return rows[np.argsort(keys[rows], kind="stable")]


def resolve(
    keys: Keys, rows: npt.NDArray[np.int64], content: Callable[[pa.Array], pa.Table], keep: Keep
) -> list[Dropped]:
    """Decide which of the `rows` with repeated keys stay.

    Identical rows keep the first. Of rows that differ, `keep` says which stays; those identical to the one that
    stays count as identical.

    Parameters
    ----------
    rows
        As from `repeated`.
    content
        Gives the values of rows by position, the source row apart.
    """
    table = content(pa.array(rows))
    values = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    dropped: list[Dropped] = []
    start = 0
    while start < len(rows):
        stop = start + 1
        while stop < len(rows) and keys[rows[stop]] == keys[rows[start]]:
            stop += 1
        group = range(start, stop)
        if all(values[i] == values[start] for i in group):
            dropped += [Dropped(int(rows[i]), True, int(rows[start])) for i in group[1:]]
        elif keep == "none":
            dropped += [Dropped(int(rows[i]), False, -1) for i in group]
        else:
            winner = group[0] if keep == "first" else group[-1]
            for i in group:
                if i != winner:
                    dropped.append(Dropped(int(rows[i]), values[i] == values[winner], int(rows[winner])))
        start = stop
    return dropped
