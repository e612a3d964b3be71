"""Exact object versions, and errors of S3 told apart."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from gridlake.platform import s3
from gridlake.platform.aws_errors import TRANSIENT_CODES, calling, translate
from gridlake.platform.clients import client
from gridlake.platform.errors import GridlakeError, PermanentError, TransientError
from gridlake.platform.s3 import ObjectRef
from tests.unit.aws_environment import BUCKETS, Application, application


@pytest.fixture
def app() -> Iterator[Application]:
    with application() as made:
        yield made


def client_error(code: str, status: int = 400, message: str = "") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "GetObject",
    )


@given(
    key=st.text(min_size=1).filter(lambda k: "?versionId=" not in k),
    version=st.none() | st.text("abcXYZ019._-", min_size=1),
)
def test_uri_reads_back_whatever_the_key_holds(key: str, version: str | None) -> None:
    ref = ObjectRef("bucket", key, version)
    assert ObjectRef.parse(ref.uri) == ref


@pytest.mark.parametrize("uri", ["bucket/key", "s3://", "s3://bucket", "s3://bucket/", "s3:///key"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(PermanentError) as caught:
        ObjectRef.parse(uri)
    assert caught.value.error_code == "invalid_s3_uri"


def test_the_exact_version_is_downloaded_after_the_key_was_replaced_and_deleted(
    app: Application, tmp_path: Path
) -> None:
    key = "raw/ons/a b+ç..csv"
    first = app.upload(b"first", key)["detail"]["object"]["version-id"]
    app.upload(b"second", key)
    client("s3").delete_object(Bucket=BUCKETS["raw"], Key=key)
    ref = ObjectRef(BUCKETS["raw"], key, first)
    assert s3.download(ref, tmp_path).read_bytes() == b"first"
    assert s3.head(ref).size == 5


@pytest.mark.parametrize(
    ("key", "version", "code"), [("missing", None, "object_missing"), ("there", "0" * 32, "object_missing")]
)
def test_missing_object_or_version_is_permanent(
    app: Application, key: str, version: str | None, code: str
) -> None:
    app.upload(b"x", "there")
    with pytest.raises(PermanentError, match="s3://test-raw/") as caught:
        s3.head(ObjectRef(BUCKETS["raw"], key, version))
    assert caught.value.error_code in {code, "object_version_missing"}
    assert caught.value.hint


def test_a_full_disk_is_found_before_the_download(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = app.upload(b"x" * 100)["detail"]["object"]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(s3.shutil, "disk_usage", lambda _: usage(100, 50, s3.SCRATCH_RESERVE_BYTES + 99))
    ref = ObjectRef(BUCKETS["raw"], event["key"], event["version-id"])
    with pytest.raises(PermanentError) as caught:
        s3.download(ref, tmp_path)
    assert caught.value.error_code == "scratch_full"
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_another_length_is_never_taken_for_the_file(app: Application, tmp_path: Path) -> None:
    event = app.upload(b"x" * 100)["detail"]["object"]
    ref = ObjectRef(BUCKETS["raw"], event["key"], event["version-id"])
    with pytest.raises(TransientError, match="100 bytes instead of 99") as caught:
        s3.download(ref, tmp_path, size=99)
    assert caught.value.error_code == "incomplete_download"


def test_missing_permission_names_the_operation_and_the_object(app: Application) -> None:
    with Stubber(client("s3")) as stub:
        stub.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(PermanentError, match="HeadObject") as caught:
            s3.head(ObjectRef("bucket", "key"))
    assert caught.value.error_code == "access_denied"
    assert "HeadObject" in (caught.value.hint or "")


@pytest.mark.parametrize("code", sorted(TRANSIENT_CODES))
def test_codes_that_pass_by_themselves(code: str) -> None:
    assert isinstance(translate(client_error(code), action="read", resource="x"), TransientError)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (client_error("NoSuchKey", 404), "object_missing"),
        (client_error("NoSuchVersion", 404), "object_version_missing"),
        (client_error("InvalidArgument", 400, "Invalid version id specified"), "object_version_missing"),
        (client_error("MethodNotAllowed", 405), "object_missing"),
        (client_error("AccessDenied", 403), "access_denied"),
        (client_error("AccessDeniedException", 400), "access_denied"),
        (client_error("SignatureDoesNotMatch", 403), "access_denied"),
        (client_error("InvalidObjectState", 403), "object_archived"),
        (client_error("ResourceNotFoundException", 400), "resource_missing"),
        (client_error("MalformedXML", 400), "aws_refused"),
        (NoCredentialsError(), "aws_refused"),
    ],
)
def test_codes_that_stay(error: Exception, code: str) -> None:
    ours = translate(error, action="read", resource="s3://bucket/key")
    assert isinstance(ours, PermanentError)
    assert (ours.error_code, "s3://bucket/key" in ours.message) == (code, True)


@pytest.mark.parametrize(
    "error",
    [
        client_error("Strange", 503),
        client_error("429", 429),
        EndpointConnectionError(endpoint_url="http://s3"),
        ReadTimeoutError(endpoint_url="http://s3"),
    ],
)
def test_no_answer_is_transient(error: Exception) -> None:
    with pytest.raises(TransientError), calling("read", "s3://bucket/key"):
        raise error


def test_our_own_errors_pass_unchanged() -> None:
    ours = GridlakeError("x")
    assert translate(ours, action="read", resource="x") is ours
