"""The application's buckets, table and topic on moto, as stacks/storage.yaml makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from moto import mock_aws

from gridlake.contracts.registry import Registry
from gridlake.platform import clients
from gridlake.platform.clients import client
from gridlake.platform.settings import Settings

BUCKETS = {name: f"test-{name}" for name in ("raw", "lake", "quarantine", "work")}
TABLE = "test-ledger"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


class LambdaContext:
    """A Lambda context with a settable rest of time."""

    function_name = "test"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, remaining_ms: int = 900_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class Application:
    """The deployed storage, and the ways tests look into it."""

    settings: Settings
    alerts_queue: str
    _names: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def upload(self, body: bytes, key: str = "raw/ons/file.csv") -> dict[str, Any]:
        """Put a raw file; the S3 event it causes."""
        put = client("s3").put_object(Bucket=BUCKETS["raw"], Key=key, Body=body)
        return self.event(key, put["VersionId"], put["ETag"], len(body))

    def event(
        self, key: str, version_id: str, etag: str = "", size: int = 0, source: str = "aws.s3"
    ) -> dict[str, Any]:
        return {
            "source": source,
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": BUCKETS["raw"]},
                "object": {"key": key, "version-id": version_id, "etag": etag.strip('"'), "size": size},
            },
        }

    def begin(self, event: dict[str, Any], name: str | None = None) -> dict[str, Any]:
        """Input of the first stage of a new execution."""
        name = name or f"execution-{next(self._names)}"
        return {
            "execution": {
                "id": f"arn:aws:states:us-east-1:123456789012:execution:ingestion:{name}",
                "name": name,
                "started_at": "2026-11-20T12:00:00.000Z",
            },
            "event": event,
        }

    def json(self, uri: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return json.loads(client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        answer = client("s3").list_objects_v2(Bucket=BUCKETS[bucket], Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    def alerts(self) -> list[dict[str, Any]]:
        answer = client("sqs").receive_message(QueueUrl=self.alerts_queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


_clients: dict[str, Any] = {}
"""moto answers every client that is made after its import, so these are made once for all tests."""


@contextmanager
def application(**variables: str) -> Iterator[Application]:
    """Make the application's storage for the time of a test."""
    shared = mock.patch.object(clients, "_clients", _clients)
    with mock.patch.dict("os.environ", CREDENTIALS), mock_aws(), shared:
        Registry.forget()
        s3 = client("s3")
        for bucket in BUCKETS.values():
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        keys = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk")
        schema = {
            name: [
                {"AttributeName": f"{prefix}pk", "KeyType": "HASH"},
                {"AttributeName": f"{prefix}sk", "KeyType": "RANGE"},
            ]
            for name, prefix in (("table", ""), ("gsi1", "gsi1"), ("gsi2", "gsi2"))
        }
        client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=schema["table"],
            GlobalSecondaryIndexes=[
                {"IndexName": name, "KeySchema": schema[name], "Projection": {"ProjectionType": "ALL"}}
                for name in ("gsi1", "gsi2")
            ],
        )
        client("glue").create_database(DatabaseInput={"Name": "test_lake"})
        topic = client("sns").create_topic(Name="alerts")["TopicArn"]
        queue = client("sqs").create_queue(QueueName="alerts")["QueueUrl"]
        client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:alerts"
        )
        settings = Settings.from_env(
            {
                "RAW_BUCKET": BUCKETS["raw"],
                "LAKE_BUCKET": BUCKETS["lake"],
                "QUARANTINE_BUCKET": BUCKETS["quarantine"],
                "WORK_BUCKET": BUCKETS["work"],
                "LEDGER_TABLE": TABLE,
                "GLUE_DATABASE": "test_lake",
                "ALERTS_TOPIC_ARN": topic,
                "INFLUX_VERSION": "1",
                "INFLUX_DATABASE": "gridlake",
                **variables,
            }
        )
        try:
            yield Application(settings, queue)
        finally:
            Registry.forget()
