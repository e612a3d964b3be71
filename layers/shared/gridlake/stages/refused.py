"""Rows that InfluxDB refuses leave silver and join the quarantined rows, so that lake and InfluxDB hold the same."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gridlake.platform.aws_errors import calling
from gridlake.platform.clients import client
from gridlake.platform.errors import PermanentError
from gridlake.platform.s3 import ObjectRef, download, head
from gridlake.stages.common import scratch
from gridlake.timeseries.loader import RefusedPoint
from gridlake.workflow import ExecutionContext

REASON = "influx_refused"

QUARANTINE_SCHEMA: pa.Schema = pa.schema([
    ("reason", pa.string()),
    ("rule", pa.string()),
    ("source_row", pa.int64()),
    ("message", pa.string()),
    ("raw", pa.string()),
])  # fmt: skip


def move_refused(
    ctx: ExecutionContext, processed: Mapping[str, Any], refused: Iterable[RefusedPoint]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rewrite the partitions that hold refused rows, and add the rows to the source's quarantine.

    It starts from the object versions that `process` published, so that a repetition ends the same.

    Parameters
    ----------
    processed
        Output of the stage `process`.
    refused
        The refused rows, by the URI of their partition and their `_source_row`.

    Returns
    -------
    tuple
        The source's silver objects (``key``, ``version_id``) and the counts of the report, both as they are now.
    """
    lake, report = ctx.settings.lake_bucket, processed["report"]
    reasons: dict[str, dict[int, str]] = defaultdict(dict)
    for point in refused:
        if point.source_row is not None:
            reasons[point.partition.removeprefix(f"s3://{lake}/")][point.source_row] = point.reason
    silver: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    with scratch() as folder:
        for entry in processed["silver"]:
            if rows := reasons.get(entry["key"]):
                entry = _rewrite(ObjectRef(lake, **entry), rows, folder, moved)  # noqa: PLW2901
            silver.append(entry)
        _quarantine(ctx, report, moved, folder)
    kept = report["rows_loaded"] - len(moved)
    counts = {
        "rows_in": report["rows_in"],
        "rows_loaded": kept,
        "rows_quarantined": report["rows_quarantined"] + len(moved),
        "quarantine": {**report["quarantine"], REASON: len(moved)} if moved else report["quarantine"],
    }
    if moved and not kept:
        raise PermanentError(
            f"InfluxDB refuses every row of {ctx.source.ref.filename}: {moved[0]['message']}",
            code="all_rows_quarantined",
            hint="the contract and what the measurement already holds disagree; mend one of them and redrive",
            **counts,
        )
    if moved:
        counts["quarantine_path"] = _quarantine_key(ctx, report)
    return silver, counts


def _rewrite(
    ref: ObjectRef, rows: Mapping[int, str], folder: Path, moved: list[dict[str, Any]]
) -> dict[str, Any]:
    """Store a partition without the refused rows, a row group at a time; collect them in `moved`."""
    place, kept = download(ref, folder), folder / "kept.parquet"
    refused = pa.array(sorted(rows), pa.int64())
    with (
        pq.ParquetFile(place) as file,
        pq.ParquetWriter(kept, file.schema_arrow, compression="zstd") as writer,
    ):
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            bad = pc.is_in(table["_source_row"].cast(pa.int64()), value_set=refused)
            moved.extend(_described(table.filter(bad), rows))
            writer.write_table(table.filter(pc.invert(bad)))
    with calling("write", ref.uri):
        client("s3").upload_file(str(kept), ref.bucket, ref.key)
    return {"key": ref.key, "version_id": head(ObjectRef(ref.bucket, ref.key)).version_id}


def _described(table: pa.Table, rows: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for row in table.to_pylist():
        number = row["_source_row"]
        yield {
            "reason": REASON,
            "rule": REASON,
            "source_row": number,
            "message": rows[number],
            "raw": json.dumps(row, ensure_ascii=False, default=str),
        }


def _quarantine(
    ctx: ExecutionContext, report: Mapping[str, Any], moved: list[dict[str, Any]], folder: Path
) -> None:
    if not moved:
        return
    ref = ObjectRef(ctx.settings.quarantine_bucket, _quarantine_key(ctx, report))
    added = pa.Table.from_pylist(moved, schema=QUARANTINE_SCHEMA)
    if report.get("quarantine_path"):
        before = pq.read_table(download(ref, folder))
        before = before.filter(pc.not_equal(before["reason"].cast(pa.string()), pa.scalar(REASON)))
        added = pa.concat_tables([before, added.select(before.column_names).cast(before.schema)])
    path = folder / "quarantine.parquet"
    pq.write_table(added, path, compression="zstd")
    with calling("write", ref.uri):
        client("s3").upload_file(str(path), ref.bucket, ref.key)


def _quarantine_key(ctx: ExecutionContext, report: Mapping[str, Any]) -> str:
    return report.get("quarantine_path") or f"quarantine/{report['dataset']}/{ctx.source.source_id}.parquet"
