"""Buckets, table and topic are closed, encrypted, versioned and logged; raw files can't be lost."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import STACKS

RESOURCES: dict[str, Any] = STACKS["storage"]["Resources"]
BUCKETS = [name for name, r in RESOURCES.items() if r["Type"] == "AWS::S3::Bucket"]
DATA = ["RawBucket", "LakeBucket", "QuarantineBucket", "WorkBucket"]


def statements(bucket: str) -> dict[str, Any]:
    return {s["Sid"]: s for s in RESOURCES[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]}


def test_these_are_the_buckets() -> None:
    assert sorted(BUCKETS) == sorted([*DATA, "AccessLogBucket"])


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_is_closed_encrypted_and_versioned(bucket: str) -> None:
    properties = RESOURCES[bucket]["Properties"]
    block = properties["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(block.values())
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in (
        "AES256",
        {"Fn::If": ["UseCustomerKey", "aws:kms", "AES256"]},
    )


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_refuses_plain_http(bucket: str) -> None:
    deny = statements(bucket)["TlsOnly"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(deny["Resource"]) == 2, "bucket and objects"


@pytest.mark.parametrize("bucket", DATA)
def test_bucket_logs_access_and_ends_stale_uploads_or_everything(bucket: str) -> None:
    properties = RESOURCES[bucket]["Properties"]
    assert properties["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "AccessLogBucket"}
    assert any(
        "AbortIncompleteMultipartUpload" in rule for rule in properties["LifecycleConfiguration"]["Rules"]
    )


def test_raw_files_never_expire_and_their_versions_cannot_be_deleted() -> None:
    rules = RESOURCES["RawBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not [r for r in rules if "ExpirationInDays" in r or "NoncurrentVersionExpiration" in r]
    deny = statements("RawBucket")["RawIsNeverDeleted"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:DeleteObjectVersion")


@pytest.mark.parametrize("name", ["LakeBucket", "QuarantineBucket"])
def test_current_objects_of_lake_and_quarantine_do_not_expire(name: str) -> None:
    assert not [
        r for r in RESOURCES[name]["Properties"]["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in r
    ]


def test_work_expires() -> None:
    rules = RESOURCES["WorkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r] == [30]


@pytest.mark.parametrize(
    "name",
    ["RawBucket", "LakeBucket", "QuarantineBucket", "WorkBucket", "AccessLogBucket", "LedgerTable", "Key"],
)
def test_state_outlives_the_stack(name: str) -> None:
    """Also what may go: CloudFormation can't delete a bucket with objects. A first deployment that fails leaves nothing."""
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_uploads_are_announced() -> None:
    raw = RESOURCES["RawBucket"]["Properties"]
    assert raw["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"] is True


def test_ledger_is_on_demand_and_restorable_with_the_two_indexes() -> None:
    table = RESOURCES["LedgerTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    keys = {
        i["IndexName"]: [k["AttributeName"] for k in i["KeySchema"]] for i in table["GlobalSecondaryIndexes"]
    }
    assert keys == {"gsi1": ["gsi1pk", "gsi1sk"], "gsi2": ["gsi2pk", "gsi2sk"]}


def test_the_customer_key_serves_storage_services_of_this_account_only() -> None:
    policy = {s["Sid"]: s for s in RESOURCES["Key"]["Properties"]["KeyPolicy"]["Statement"]}
    condition = policy["ThroughStorageServices"]["Condition"]["StringEquals"]
    assert condition["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    assert len(condition["kms:ViaService"]) == 3
