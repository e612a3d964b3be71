"""Silver datasets as tables of the Glue Data Catalog, by plain calls that may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from gridlake.platform.aws_errors import calling
from gridlake.platform.clients import client

_PARTITION_KEYS = [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
_BATCH = 100
_FORMAT = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
Partition = tuple[str, str]


def register(files: Mapping[str, Path], *, bucket: str, database: str) -> None:
    """Create or widen the tables of silver files and add their partitions.

    Parameters
    ----------
    files
        Local path by key; what is neither a dataset's Parquet file nor below one is left alone (`uncatalogued`).
    """
    datasets: dict[str, dict[str, Path]] = {}
    for key, path in files.items():
        dataset = _dataset(key)
        if dataset:
            datasets.setdefault(dataset, {})[key] = path
    for dataset, members in datasets.items():
        columns = _columns(pq.read_schema(next(iter(members.values()))))
        partitions = sorted({p for key in members if (p := _partition(key))})
        location = f"s3://{bucket}/silver/{dataset}/"
        _table(database, dataset, columns, location, partitioned=bool(partitions))
        if partitions:
            _partitions(database, dataset, columns, location, partitions)


def forget_empty(keys: Iterable[str], *, bucket: str, database: str) -> None:
    """Remove the partitions of deleted keys that hold no file of any source any more."""
    places = {(d, p) for key in keys if (d := _dataset(key)) and (p := _partition(key))}
    for dataset, (year, month) in sorted(places):
        prefix = f"silver/{dataset}/year={year}/month={month}/"
        with calling("list", f"s3://{bucket}/{prefix}"):
            found = client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        if found.get("KeyCount", len(found.get("Contents", []))):
            continue
        with calling("delete", f"the partition {year}-{month} of {database}.{dataset}"):
            _tolerating(
                "EntityNotFoundException",
                client("glue").delete_partition,
                DatabaseName=database,
                TableName=dataset,
                PartitionValues=[year, month],
            )


def _dataset(key: str) -> str | None:
    parts = key.split("/")
    usable = (
        len(parts) >= 3 and parts[0] == "silver" and parts[1] != "uncatalogued" and key.endswith(".parquet")
    )
    return parts[1] if usable else None


def _partition(key: str) -> Partition | None:
    parts = key.split("/")
    if len(parts) == 5 and parts[2].startswith("year=") and parts[3].startswith("month="):
        return parts[2].removeprefix("year="), parts[3].removeprefix("month=")
    return None


def _columns(schema: pa.Schema) -> list[dict[str, str]]:
    return [{"Name": f.name, "Type": _type(f.type)} for f in schema]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    for check, name in (
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_floating, "double"),
        (pa.types.is_integer, "bigint"),
        (pa.types.is_boolean, "boolean"),
    ):
        if check(kind):
            return name
    return "string"


def _table(
    database: str, dataset: str, columns: list[dict[str, str]], location: str, *, partitioned: bool
) -> None:
    glue = client("glue")
    resource = f"the table {database}.{dataset}"
    definition: dict[str, Any] = {
        "Name": dataset,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE"},
        "PartitionKeys": _PARTITION_KEYS if partitioned else [],
        "StorageDescriptor": {"Columns": columns, "Location": location, **_FORMAT},
    }
    with calling("register", resource):
        existing = _tolerating("EntityNotFoundException", glue.get_table, DatabaseName=database, Name=dataset)
        if existing is None:
            created = _tolerating(
                "AlreadyExistsException", glue.create_table, DatabaseName=database, TableInput=definition
            )
            if created is not None:
                return
            existing = glue.get_table(DatabaseName=database, Name=dataset)
        known = existing["Table"]["StorageDescriptor"]["Columns"]
        wanted = {c["Name"]: c["Type"] for c in columns}
        merged = [{"Name": c["Name"], "Type": wanted.pop(c["Name"], c["Type"])} for c in known]
        merged += [{"Name": name, "Type": kind} for name, kind in wanted.items()]
        if merged != [{"Name": c["Name"], "Type": c["Type"]} for c in known]:
            definition["StorageDescriptor"]["Columns"] = merged
            glue.update_table(DatabaseName=database, TableInput=definition)


def _partitions(
    database: str, dataset: str, columns: list[dict[str, str]], location: str, partitions: list[Partition]
) -> None:
    glue = client("glue")
    with calling("register", f"partitions of {database}.{dataset}"):
        known: set[Partition] = set()
        for page in glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=dataset):
            known |= {(p["Values"][0], p["Values"][1]) for p in page.get("Partitions", [])}
        absent = [p for p in partitions if p not in known]
        for i in range(0, len(absent), _BATCH):
            inputs = [
                {
                    "Values": [year, month],
                    "StorageDescriptor": {
                        "Columns": columns,
                        "Location": f"{location}year={year}/month={month}/",
                        **_FORMAT,
                    },
                }
                for year, month in absent[i : i + _BATCH]
            ]
            answer = glue.batch_create_partition(
                DatabaseName=database, TableName=dataset, PartitionInputList=inputs
            )
            for error in answer.get("Errors", []):
                detail = error.get("ErrorDetail", {})
                if detail.get("ErrorCode") != "AlreadyExistsException":
                    raise ClientError(
                        {
                            "Error": {
                                "Code": detail.get("ErrorCode", ""),
                                "Message": detail.get("ErrorMessage", ""),
                            }
                        },
                        "BatchCreatePartition",
                    )


def _tolerating(code: str, call: Any, **arguments: Any) -> Any:
    """The answer of a call, or None where AWS answers with the expected error."""
    try:
        return call(**arguments)
    except ClientError as problem:
        if problem.response["Error"]["Code"] == code:
            return None
        raise
