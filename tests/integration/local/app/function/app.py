"""One function that does what the event asks for."""

import importlib.util
import json
import os
import sys
import time

import boto3
import probe_layer
from botocore.config import Config

CALLS = []


def handler(event, context):
    """Run one probe by name."""
    CALLS.append(event)
    return globals()[event["do"].split(":")[0]](event, context)


def door(event, context):
    """Answer an API request."""
    return {"statusCode": 200, "body": json.dumps({"hello": json.loads(event["body"])["name"]})}


def calls(event, context):
    return {"calls": len(CALLS), "pid": os.getpid(), "version": context.function_version}


def transient(event, context):
    if not event.get("succeed_at") or len(CALLS) < event["succeed_at"]:
        raise probe_layer.TransientError("not yet")


def quality(event, context):
    raise probe_layer.QualityError("bad rows")


def die(event, context):
    os._exit(3)


def hang(event, context):
    time.sleep(60)


def unserialisable(event, context):
    return {"value": object()}


def nap(event, context):
    time.sleep(0.5)
    return {"pid": os.getpid(), "remaining": context.get_remaining_time_in_millis()}


def greeting(event, context):
    return os.environ["GREETING"]


def execution(event, context):
    return event["execution"]


def surroundings(event, context):
    print("to the log, not to the protocol")
    return {
        "importable": [
            name
            for name in ("ministack", "yaml", "hypercorn", "samtranslator")
            if importlib.util.find_spec(name)
        ],
        "boto3": boto3.__version__,
        "environment": sorted(os.environ),
        "tmp": os.environ["TMPDIR"],
        "path": sys.path,
    }


def write(event, context):
    """Put and get an object at the key after the colon; says the error code."""
    key = event["do"].split(":", 1)[1]
    s3 = boto3.client("s3")
    try:
        put = s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=b"1")
        got = s3.get_object(Bucket=os.environ["BUCKET"], Key=key, VersionId=put["VersionId"])
        return {"body": got["Body"].read().decode()}
    except s3.exceptions.ClientError as error:
        return {"code": error.response["Error"]["Code"]}


def read_table(event, context):
    client = boto3.client("dynamodb")
    try:
        client.get_item(TableName=os.environ["TABLE"], Key={"pk": {"S": "x"}})
    except client.exceptions.ClientError as error:
        return {"code": error.response["Error"]["Code"]}
    return {"code": None}


def presign(event, context):
    key = event["do"].split(":", 1)[1]
    return boto3.client("s3", config=Config(signature_version="s3v4")).generate_presigned_url(
        "put_object", Params={"Bucket": os.environ["BUCKET"], "Key": key}, ExpiresIn=60
    )
