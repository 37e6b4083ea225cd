"""A bucket in place of the disk."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import packetstore
from dashboard.conf import storage
from runs.errors import NotFound, PayloadTooLarge
from tests.support.bucket import serving

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


@pytest.fixture
def objects(bucket, settings):
    """What is in a store of this machine."""
    with serving() as (address, objects):
        entry = storage.from_url(URL.replace("https://s3.example.com", address), Path("unused"))
        settings.STORAGES = {**settings.STORAGES, "packets": entry}
        yield objects


def test_what_a_client_put_there_is_read_with_its_type(objects):
    path = packetstore.new_path()
    assert not packetstore.exists(path)
    with pytest.raises(NotFound):
        packetstore.read(path, 100)
    kind = {"content-type": "text/plain"}
    sent = httpx.put(packetstore.upload_address(path, 60), content=b"line\nline", headers=kind)
    assert sent.status_code == 200
    assert packetstore.exists(path)
    assert packetstore.read(path, 9) == ("text/plain", b"line\nline")
    assert httpx.get(packetstore.download_address(path, 60)).content == b"line\nline"
    with pytest.raises(PayloadTooLarge):
        packetstore.read(path, 8)


def test_old_ones_are_removed_there_too(objects, time_machine, monkeypatch):
    monkeypatch.setattr(packetstore, "_rests_until", 0.0)
    time_machine.move_to("2030-01-03T12:00:00+00:00", tick=False)
    home = "/payloads/of/trackside"
    names = [f"{home}/{day}/packet_x" for day in ("20300101", "20300102", "20300103")]
    names += ["/payloads/of/another", f"{home}/readme"]
    objects.update(dict.fromkeys(names, ("text/plain", b"")))
    assert packetstore.tidy() == 1
    assert sorted(objects) == sorted(names[1:])


def test_a_store_that_does_not_answer_is_told(bucket, settings):
    entry = storage.from_url("s3://b?endpoint_url=http://127.0.0.1:9", Path("unused"))
    settings.STORAGES = {**settings.STORAGES, "packets": entry}
    with pytest.raises(packetstore.StorageFailed, match="does not answer"):
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
