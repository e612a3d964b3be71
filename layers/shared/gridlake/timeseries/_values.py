"""Text of columns: numbers, strings and times as line protocol writes them, a whole column at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute

from gridlake.timeseries.errors import LineProtocolError

pc: Any = pyarrow.compute
Array = Any

_COMMA = ord(",")


def field_text(column: Array) -> Array:
    """Text of a field's values; null stays null.

    Parameters
    ----------
    column
        Float64 (finite or null), integers, booleans or strings, dictionary-encoded or not.

    Raises
    ------
    LineProtocolError
        A type that is no field of InfluxDB.
    """
    kind = column.type
    if pa.types.is_float64(kind):
        return _float_text(column)
    if pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        return pc.binary_join_element_wise(column.cast(pa.string()), "i", "")
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        quoted = pc.replace_substring(column.cast(pa.string()), "\\", "\\\\")
        return pc.binary_join_element_wise('"', pc.replace_substring(quoted, '"', '\\"'), '"', "")
    raise LineProtocolError(f"a field of type {kind} can't be written as line protocol")


def _float_text(column: Array) -> Array:
    """Shortest text that reads back as the same 64 bits: orjson prints a column four times faster than Arrow casts it."""
    if len(column) == 0:
        return pa.array([], pa.string())
    values = column.to_numpy(zero_copy_only=False)
    array = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    commas = np.flatnonzero(np.frombuffer(array, dtype=np.uint8) == _COMMA)
    # In the text without brackets and commas, value n begins where comma n was, less what was taken away before it.
    offsets = np.empty(len(values) + 1, dtype=np.int32)
    offsets[0], offsets[-1] = 0, len(array) - len(values) - 1
    offsets[1:-1] = commas - np.arange(1, len(values))
    text = pa.StringArray.from_buffers(
        len(values), pa.py_buffer(offsets), pa.py_buffer(array.translate(None, b"[,]"))
    )
    return pc.if_else(column.is_valid(), text, None) if column.null_count else text


def stamp_text(times: npt.NDArray[np.int64]) -> Array:
    """Text of times; rows in order of time share it with their neighbours."""
    first = np.flatnonzero(np.diff(times, prepend=times[0] - 1))
    if 2 * len(first) > len(times):
        return pa.array(times).cast(pa.string())
    lengths = np.diff(first, append=len(times))
    return pa.array(times[first]).cast(pa.string()).take(pa.array(np.repeat(np.arange(len(first)), lengths)))


def widest(name: str, column: Array) -> int:
    """Most bytes that one value of a field takes with its key."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    longest = 32
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        longest = int(pc.max(pc.binary_length(column)).as_py() or 0)
    return 2 * (len(name.encode()) + longest) + 4
