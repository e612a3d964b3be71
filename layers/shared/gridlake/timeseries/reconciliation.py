"""Do lake and InfluxDB hold the same? By month and field: how many values, and a checksum over every one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from gridlake.contracts.model import Contract
from gridlake.timeseries.handler import InfluxDBHandler, quote_identifier
from gridlake.timeseries.line_protocol import MAX_TIME_NS, MIN_TIME_NS
from gridlake.timeseries.partitions import PartitionRef, read_table, series_columns
from gridlake.timeseries.resolution import Bools, Rows, rows_of

MAX_EXAMPLES = 10
ROWS_A_QUERY = 200_000
Uint64s = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Example:
    """One value that differs; None where a side has none. `time` is ISO 8601 in UTC."""

    series: str
    time: str
    lake: float | None
    influx: float | None


@dataclass(frozen=True, slots=True)
class MonthDifference:
    """A field of a UTC month in which lake and InfluxDB differ.

    Attributes
    ----------
    month
        ``YYYY-MM`` (UTC).
    lake_count, influx_count
        Values that are not null.
    lake_checksum, influx_checksum
        Sum modulo 2^64 of a hash of (series, time, value bits) over all values, in hexadecimal; independent of order.
    examples
        Some of the values that differ.
    """

    dataset: str
    month: str
    field: str
    lake_count: int
    influx_count: int
    lake_checksum: str
    influx_checksum: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class MonthResult:
    """A compared month: values in the lake, and the fields that differ."""

    month: str
    values: int
    differences: tuple[MonthDifference, ...]


def verify(
    contract: Contract,
    files: Sequence[PartitionRef],
    handler: InfluxDBHandler,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    s3: Any = None,
    max_examples: int = MAX_EXAMPLES,
) -> list[MonthDifference]:
    """Compare the resolved lake of a dataset with its measurement; empty when they are the same.

    Parameters and errors are those of `verify_months`.
    """
    months = verify_months(contract, files, handler, start, end, s3=s3, max_examples=max_examples)
    return [difference for month in months for difference in month.differences]


def verify_months(
    contract: Contract,
    files: Sequence[PartitionRef],
    handler: InfluxDBHandler,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    s3: Any = None,
    max_examples: int = MAX_EXAMPLES,
) -> Iterator[MonthResult]:
    """Compare month by month, with one month in memory at a time.

    Of rows with one key in several sources, the highest `gridlake.sequence` counts. Values are compared bit by bit, for
    InfluxDB prints the shortest text that reads back as the same float; only the sign of zero is left out.

    Parameters
    ----------
    files
        Every silver partition of the dataset, of all its sources.
    start, end
        Range of times, end exclusive; naive ones are UTC. None leaves it open.
    s3
        S3 client for ``s3://`` partitions; the package's cached one by default.
    max_examples
        Most differing values given for each month and field.

    Yields
    ------
    MonthResult
        Every month in which the lake or InfluxDB has rows, in order.

    Raises
    ------
    InfluxUnavailableError, InfluxCredentialsError
        As `InfluxDBHandler.query`.
    """
    low = MIN_TIME_NS if start is None else _to_ns(start)
    high = MAX_TIME_NS + 1 if end is None else _to_ns(end)
    by_month: dict[tuple[int, int], list[PartitionRef]] = {}
    for ref in files:
        if ref.month is not None:
            by_month.setdefault(ref.month, []).append(ref)
    at = low
    for month in sorted(m for m in by_month if _bounds(m)[1] > low and _bounds(m)[0] < high):
        month_start, month_end = _bounds(month)
        yield from _gap(contract, handler, at, max(low, month_start), max_examples)
        lake = rows_of((read_table(ref, series_columns(contract), s3) for ref in by_month[month]), contract)
        bounds = max(low, month_start), min(high, month_end)
        yield _compare(contract, handler, month, lake, bounds, max_examples)
        at = bounds[1]
    yield from _gap(contract, handler, at, high, max_examples)


def _gap(
    contract: Contract, handler: InfluxDBHandler, start: int, stop: int, max_examples: int
) -> Iterator[MonthResult]:
    """Months without a lake partition in which InfluxDB has points all the same."""
    fields = ", ".join(quote_identifier(c.name) for c in contract.fields)
    while start < stop:
        found = handler.query(
            " ".join(("SELECT", fields, "FROM", quote_identifier(contract.dataset)))
            + f" WHERE time >= {start} AND time < {min(stop, MAX_TIME_NS)} LIMIT 1"
        )
        if not found:
            return
        moment = datetime.fromtimestamp(found[0].values[0][0] // 1_000_000_000, UTC)
        month = (moment.year, moment.month)
        bounds = max(start, _bounds(month)[0]), min(stop, _bounds(month)[1])
        yield _compare(contract, handler, month, rows_of((), contract), bounds, max_examples)
        start = bounds[1]


def _compare(
    contract: Contract,
    handler: InfluxDBHandler,
    month: tuple[int, int],
    lake: Rows,
    bounds: tuple[int, int],
    max_examples: int,
) -> MonthResult:
    name = f"{month[0]:04d}-{month[1]:02d}"
    inside = lake.winners() & (lake.time >= bounds[0]) & (lake.time < bounds[1])
    influx = _influx_rows(contract, handler, bounds, queries=1 + len(lake) // ROWS_A_QUERY)
    everywhere = np.ones(len(influx), dtype=bool)
    lake_base, influx_base = _base_hashes(lake), _base_hashes(influx)
    differences, values = [], 0
    for number, field in enumerate(contract.fields):
        lake_side = _checksum(lake_base, lake.values[number], inside)
        influx_side = _checksum(influx_base, influx.values[number], everywhere)
        values += lake_side[0]
        if lake_side != influx_side:
            examples = _examples(lake, inside, influx, number, max_examples)
            differences.append(
                MonthDifference(
                    *(contract.dataset, name, field.name, lake_side[0], influx_side[0]),
                    *(lake_side[1], influx_side[1], examples),
                )
            )
    return MonthResult(name, values, tuple(differences))


def _influx_rows(contract: Contract, handler: InfluxDBHandler, bounds: tuple[int, int], queries: int) -> Rows:
    """The month's points, read as CSV in several ranges so that neither side holds more than a part as text."""
    names = [c.name for c in (*contract.fields, *contract.tags)]
    select = " ".join(
        ("SELECT", ", ".join(map(quote_identifier, names)), "FROM", quote_identifier(contract.dataset))
    )
    edges = np.linspace(0, bounds[1] - bounds[0], queries + 1).astype(np.int64) + bounds[0]
    tables = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        body = handler.csv(f"{select} WHERE time >= {start} AND time < {stop}")
        if body.strip():
            tables.append((_parse(body, contract), 0))
    return rows_of(tables, contract)


def _parse(body: bytes, contract: Contract) -> pa.Table:
    fields, tags = [c.name for c in contract.fields], [c.name for c in contract.tags]
    # Our own names, for a field or tag may itself be called "name" or "tags" as InfluxDB's first two columns are.
    columns = ["\0name", "\0tags", "time", *fields, *tags]
    text = pa.dictionary(pa.int32(), pa.string())
    return pyarrow.csv.read_csv(
        BytesIO(body),
        read_options=pyarrow.csv.ReadOptions(column_names=columns, skip_rows=1),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={
                "time": pa.int64(),
                **dict.fromkeys(fields, pa.float64()),
                **dict.fromkeys(tags, text),
            },
            include_columns=["time", *fields, *tags],
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _mix(numbers: Uint64s) -> Uint64s:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _base_hashes(rows: Rows) -> Uint64s:
    """Hash of each row's series and time."""
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in rows.names]
    series = np.frombuffer(b"".join(digests), dtype=np.uint64)
    if len(rows) == 0:
        return np.zeros(0, dtype=np.uint64)
    return _mix(series[rows.series] ^ _mix(rows.time.view(np.uint64)))


def _checksum(base: Uint64s, values: npt.NDArray[np.float64], chosen: Bools) -> tuple[int, str]:
    """Count and checksum of the values that are not null."""
    there = chosen & ~np.isnan(values)
    # Adding zero makes -0 into 0: InfluxDB's JSON and CSV keep the sign, arithmetic on it does not.
    bits = (values[there] + 0.0).view(np.uint64)
    total = _mix(base[there] + bits * np.uint64(0x9E3779B97F4A7C15)).sum(dtype=np.uint64)
    return int(there.sum()), f"{int(total):016x}"


def _examples(lake: Rows, inside: Bools, influx: Rows, field: int, limit: int) -> tuple[Example, ...]:
    sides: list[dict[tuple[str, int], float]] = []
    for rows, chosen in ((lake, inside), (influx, np.ones(len(influx), dtype=bool))):
        there = np.flatnonzero(chosen & ~np.isnan(rows.values[field]))
        names = [rows.names[s] for s in rows.series[there].tolist()]
        points = zip(names, rows.time[there].tolist(), strict=True)
        sides.append(dict(zip(points, rows.values[field, there].tolist(), strict=True)))
    ours, theirs = sides
    differing = sorted(p for p in ours.keys() | theirs.keys() if ours.get(p) != theirs.get(p))
    return tuple(Example(p[0], _iso(p[1]), ours.get(p), theirs.get(p)) for p in differing[:limit])


def _bounds(month: tuple[int, int]) -> tuple[int, int]:
    year, number = month
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return _to_ns(datetime(year, number, 1, tzinfo=UTC)), _to_ns(datetime(*following, 1, tzinfo=UTC))


def _to_ns(moment: datetime) -> int:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def _iso(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
