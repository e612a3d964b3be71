"""Publishing replaces exactly what the source had, and the catalog follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from gridlake.ingestion import silver
from gridlake.ingestion.silver import Published, publish
from gridlake.platform import clients
from gridlake.platform.errors import PermanentError
from tests.unit.ingestion_engine import HEADER, ingest


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A lake, a quarantine and an empty catalog."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients.reset()
        for bucket in ("lake", "quarantine"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        boto3.client("glue").create_database(DatabaseInput={"Name": "energy"})
        yield boto3
    clients.reset()


def put(out: Path, previous: list[str]) -> Published:
    return publish(
        out / "out",
        lake_bucket="lake",
        quarantine_bucket="quarantine",
        glue_database="energy",
        previous=previous,
    )


def keys(bucket: str) -> list[str]:
    return [o["Key"] for o in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def months() -> list[list[str]]:
    answer = boto3.client("glue").get_partitions(DatabaseName="energy", TableName="test_load")
    return sorted(p["Values"] for p in answer["Partitions"])


def test_a_revised_file_replaces_its_own_rows_and_nothing_else(aws: Any, tmp_path: Path) -> None:
    rows = "N;x;2020-01-05 00:00:00;1\nN;x;2020-02-05 00:00:00;bad\nN;x;2020-03-05 00:00:00;3\n"
    (tmp_path / "one").mkdir()
    ingest(HEADER + rows, tmp_path / "one")
    first = put(tmp_path / "one", [])
    assert [k.split("/")[3] for k in first.keys] == ["month=01", "month=03"]
    assert months() == [["2020", "01"], ["2020", "03"]]
    assert keys("quarantine") == ["quarantine/test_load/0123456789abcdef.parquet"]
    other = "silver/test_load/year=2020/month=03/other.parquet"
    aws.client("s3").put_object(Bucket="lake", Key=other, Body=b"")

    assert put(tmp_path / "one", first.keys) == Published(first.keys, [])

    (tmp_path / "two").mkdir()
    ingest(HEADER + "N;x;2020-02-05 00:00:00;2\n", tmp_path / "two")
    second = put(tmp_path / "two", first.keys)
    assert second.deleted == first.keys
    assert keys("lake") == sorted([other, *second.keys])
    assert keys("quarantine") == []
    assert months() == [["2020", "02"], ["2020", "03"]]


def test_the_table_has_the_silver_columns(aws: Any, tmp_path: Path) -> None:
    ingest(HEADER + "N;x;2020-01-05 00:00:00;1\n", tmp_path)
    put(tmp_path, [])
    table = aws.client("glue").get_table(DatabaseName="energy", Name="test_load")["Table"]
    assert {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]} == {
        "time": "timestamp",
        "subsystem": "string",
        "load_mw": "double",
        "_source_row": "bigint",
    }
    assert table["StorageDescriptor"]["Location"] == "s3://lake/silver/test_load/"


def test_a_refused_delete_is_an_error_although_s3_answers_200(
    aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = clients.client("s3")
    answer = {"Errors": [{"Key": "silver/d/b.parquet", "Code": "AccessDenied", "Message": "no"}]}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: answer)
    with pytest.raises(PermanentError, match=r"silver/d/b\.parquet") as caught:
        silver._delete("lake", ["silver/d/a.parquet", "silver/d/b.parquet"])
    assert caught.value.error_code == "access_denied"


def test_a_refused_upload_says_so_and_is_not_tried_again(aws: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(PermanentError) as caught:
        silver._upload(tmp_path / "file", "no-such-bucket", "silver/d/a.parquet")
    assert caught.value.error_code == "bucket_missing"
