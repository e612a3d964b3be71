"""The address of an upload outside us-east-1, which the local AWS can't tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from gridlake.api import uploads
from gridlake.platform.settings import Settings


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    uploads._client.cache_clear()
    yield "sa-east-1"
    uploads._client.cache_clear()


def test_the_address_is_that_of_the_region(region: str) -> None:
    settings = Settings.from_env({"RAW_BUCKET": "gridlake-raw"})
    request = uploads.UploadRequest(filename="a b.csv", publisher="ons", content_type="text/csv", size=3)
    address = urlsplit(uploads.presign(settings, request)["url"])
    assert address.hostname == f"gridlake-raw.s3.{region}.amazonaws.com"
    assert address.path == "/raw/ons/a%20b.csv"
