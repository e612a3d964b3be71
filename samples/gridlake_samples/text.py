"""Writing numbers and times the way the publishers print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gridlake_samples.shapes import Times, Values


def stamps(times: Times) -> list[str]:
    """``2024-01-01 00:00:00``."""
    return [text.replace("T", " ") for text in np.datetime_as_string(times, unit="s").tolist()]


def days(times: Times) -> list[str]:
    """``2024-01-01``."""
    return list(np.datetime_as_string(times, unit="D").tolist())


def decimals(values: Values, places: int = 3) -> list[str]:
    """Fixed decimals; a zero as ONS prints it, ``0E-8``."""
    return ["0E-8" if value == 0 else f"{value:.{places}f}" for value in values.tolist()]


def write_csv(
    path: Path,
    header: str,
    rows: Iterable[Sequence[str]],
    *,
    separator: str = ";",
    newline: str = "\n",
    encoding: str = "utf-8",
) -> int:
    """Write a file; returns the number of rows after the header."""
    count = 0
    with path.open("w", encoding=encoding, newline="") as file:
        file.write(header + newline)
        for row in rows:
            file.write(separator.join(row) + newline)
            count += 1
    return count


def rounded_sum(values: Values, places: int = 3) -> float:
    """Sum of the values as printed."""
    return float(np.round(np.round(values, places).sum(), places))
