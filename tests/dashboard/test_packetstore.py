"""A bucket in place of the disk; no network."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile

from dashboard import packetstore
from dashboard.conf import storage
from runs.errors import PayloadTooLarge

URL = "s3://payloads/of/trackside?endpoint_url=https://s3.example.com&region_name=eu-central-1&addressing_style=path"
PLACE = "20300101/packet_" + "0" * 26


@pytest.fixture
def bucket(settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    entry = storage.from_url(URL, Path("unused"))
    settings.STORAGES = {**settings.STORAGES, "packets": entry}


@pytest.mark.parametrize(
    "address", [packetstore.upload_address, packetstore.download_address], ids=["put", "get"]
)
def test_clients_go_to_the_bucket_by_themselves(bucket, address):
    parts = urlsplit(address(PLACE, 60))
    assert (parts.scheme, parts.netloc) == ("https", "s3.example.com")
    assert parts.path == f"/payloads/of/trackside/{PLACE}"
    query = parse_qs(parts.query)
    assert query["X-Amz-Expires"] == ["60"]
    assert "hidden" not in parts.query
    # whatever content type the client sends
    assert query["X-Amz-SignedHeaders"] == ["host"]


def test_what_was_put_there_is_read_with_its_type(bucket, monkeypatch):
    class Stored(ContentFile):
        obj = type("Object", (), {"content_type": "text/plain"})

    opened = "storages.backends.s3.S3Storage._open"
    monkeypatch.setattr(opened, lambda self, name, mode: Stored(b"line\nline"))
    assert packetstore.read(PLACE, 100) == ("text/plain", b"line\nline")
    with pytest.raises(PayloadTooLarge):
        packetstore.read(PLACE, 8)


@pytest.mark.parametrize(
    "url",
    [
        "payloads", "s3://", "s3:///prefix", "https://host/bucket", "s3://key:secret@bucket",
        "s3://bucket?secret_key=x",
    ],
)  # fmt: skip
def test_what_names_no_bucket_is_told(url):
    with pytest.raises(ImproperlyConfigured, match="TRACKSIDE_STORAGE") as error:
        storage.from_url(url, Path("unused"))
    assert "key:secret" not in str(error.value)
