"""Finding the lines that a server refuses, so that the others of their batch are written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gridlake.timeseries.errors import InfluxRefusedError
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.line_protocol import Lines, RefusedRow


def write_isolating(handler: InfluxDBHandler, lines: Lines, start: int, stop: int) -> list[RefusedRow]:
    """Write a slice of lines; return the rows that the server refuses, having written all the others.

    The server's own words are used first: lines it names are set aside, and a batch of which it says that every point
    was dropped is given up at once. Where it says neither, the batch is halved until the bad line stands alone.

    Raises
    ------
    InfluxUnavailableError, InfluxCredentialsError
        As `InfluxDBHandler.write`. The slice may be written in part; writing it again is harmless.
    """
    try:
        handler.write(lines.payload(start, stop))
    except InfluxRefusedError as error:
        return _isolate(handler, lines, np.arange(start, stop), error)
    return []


def _isolate(
    handler: InfluxDBHandler, lines: Lines, positions: npt.NDArray[np.int64], error: InfluxRefusedError
) -> list[RefusedRow]:
    if error.http_status == 404:
        # Not about lines at all: the database does not exist.
        raise error
    if len(positions) == 1 or error.dropped == len(positions):
        return [RefusedRow(int(lines.rows[p]), error.reason) for p in positions]
    named = _named(lines, positions, error)
    if named.any():
        refused = [RefusedRow(int(lines.rows[p]), error.reason) for p in positions[named]]
        return refused + _write_selected(handler, lines, positions[~named])
    middle = len(positions) // 2
    return _write_selected(handler, lines, positions[:middle]) + _write_selected(
        handler, lines, positions[middle:]
    )


def _write_selected(
    handler: InfluxDBHandler, lines: Lines, positions: npt.NDArray[np.int64]
) -> list[RefusedRow]:
    if len(positions) == 0:
        return []
    try:
        handler.write(lines.select(positions).payload())
    except InfluxRefusedError as error:
        return _isolate(handler, lines, positions, error)
    return []


def _named(
    lines: Lines, positions: npt.NDArray[np.int64], error: InfluxRefusedError
) -> npt.NDArray[np.bool_]:
    """Which of the lines the server's message names."""
    if not error.lines:
        return np.zeros(len(positions), dtype=bool)
    named = set(error.lines)
    texts = lines.select(positions).text.to_pylist()
    return np.array([text.rstrip("\n") in named for text in texts], dtype=bool)
