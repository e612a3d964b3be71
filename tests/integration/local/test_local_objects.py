"""Versions of objects on the local AWS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from .conftest import Probe

pytestmark = pytest.mark.xdist_group("local-aws")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def versioned(probe: Probe) -> str:
    s3 = probe.client("s3")
    s3.create_bucket(Bucket="ranges")
    s3.put_bucket_versioning(Bucket="ranges", VersioningConfiguration={"Status": "Enabled"})
    return "ranges"


def test_a_range_of_a_version_is_that_range(probe: Probe, versioned: str) -> None:
    s3 = probe.client("s3")
    version = s3.put_object(Bucket=versioned, Key="digits", Body=b"0123456789")["VersionId"]
    s3.put_object(Bucket=versioned, Key="digits", Body=b"newer")
    for asked, got in {
        "bytes=2-4": b"234",
        "bytes=8-": b"89",
        "bytes=-3": b"789",
        "bytes=5-99": b"56789",
    }.items():
        answer = s3.get_object(Bucket=versioned, Key="digits", VersionId=version, Range=asked)
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()) == (206, got)
    assert answer["ContentRange"] == "bytes 5-9/10"
    with pytest.raises(ClientError, match=r"InvalidRange|416"):
        s3.get_object(Bucket=versioned, Key="digits", VersionId=version, Range="bytes=10-")


def test_a_large_version_downloads_in_parallel_as_it_was(
    probe: Probe, versioned: str, tmp_path: Path
) -> None:
    content = os.urandom(20 * MIB + 7)
    s3 = probe.client("s3")
    version = s3.put_object(Bucket=versioned, Key="large", Body=content)["VersionId"]
    s3.download_file(versioned, "large", str(tmp_path / "large"), ExtraArgs={"VersionId": version})
    assert (tmp_path / "large").read_bytes() == content
