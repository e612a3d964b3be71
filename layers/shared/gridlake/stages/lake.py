"""What is in the silver part of the lake."""

from __future__ import annotations

from collections.abc import Iterator

from gridlake.platform.aws_errors import calling
from gridlake.platform.clients import client
from gridlake.timeseries.partitions import PartitionRef


def partitions_of(lake_bucket: str, dataset: str) -> Iterator[PartitionRef]:
    """Every silver partition of a dataset, of all its sources, in key order."""
    prefix = f"silver/{dataset}/"
    with calling("list", f"s3://{lake_bucket}/{prefix}"):
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=lake_bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", ()):
                if found["Key"].endswith(".parquet"):
                    yield PartitionRef(f"s3://{lake_bucket}/{found['Key']}")
