"""Large payloads: a place for each, an upload by a signed address, and a trigger that names it."""

import errno
import json
import re
from urllib.parse import quote

import pytest

from dashboard import packetstore
from dashboard.api import objects
from runs.lifecycle import definitions
from runs.models import Batch, Run
from tests.dashboard.api.conftest import Api
from tests.support import factories
from tests.support.publictokens import signed

JSON = "application/json"


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    """Packets of this test alone."""
    settings.STORAGES = {
        **settings.STORAGES,
        "packets": {
            "BACKEND": "dashboard.packetstore.WholeFiles",
            "OPTIONS": {"location": str(tmp_path / "packets")},
        },
    }
    return tmp_path / "packets"


def placed(api, name="trigger/packet_1/payload.json"):
    answer = api.client.put(f"/api/v2/packets/{quote(name, safe='')}", headers=api.headers)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    return told["storagePath"], told["presignedUrl"].removeprefix("http://testserver")


def put(api, address, content, kind=JSON, **headers):
    return api.client.put(address, content, content_type=kind, headers=headers)


def uploaded(api, content, kind=JSON):
    path, address = placed(api)
    answer = put(api, address, content, kind)
    assert answer.status_code == 200, answer.content
    return path


def trigger(api, path, task="hello"):
    return api.trigger(
        task, {"payload": path, "options": {"payloadType": "application/store", "payloadSize": 9}}
    )


@pytest.mark.parametrize(
    ("kind", "content", "payload"),
    [
        (JSON, b' {"a": 1e2} ', '{"a": 1e2}'),
        ("application/super+json", b'{"json":{"a": 1},"meta":{}}', '{"a": 1}'),
        ("text/plain", '"é\n'.encode(), '"\\"é\\n"'),
        ("text/plain;charset=UTF-8", b"{", '"{"'),
    ],
)
def test_a_trigger_takes_what_was_uploaded(api, kind, content, payload):
    path = uploaded(api, content, kind)
    made = trigger(api, path)
    assert made.status_code == 200, made.content
    assert Run.objects.get(pk=made.json()["id"]).payload == payload
    # a trigger whose answer was lost is sent again
    assert trigger(api, path).status_code == 200


def test_it_is_checked_as_if_it_came_with_the_trigger(api, settings):
    factories.task("strict", schema='{"type": "object"}')
    definitions.forget()
    for content in (b" ", b"[NaN]", b"[" * 65 + b"]" * 65, b"\xff", b"[]"):
        answer = trigger(api, uploaded(api, content), "strict")
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True), content
    settings.TRACKSIDE = {**settings.TRACKSIDE, "PAYLOAD_LIMIT": 1000}
    assert trigger(api, uploaded(api, b'"%s"' % (b"x" * 2000))).status_code == 413
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "", "packet", "20260101/packet_" + "0" * 26, "../../etc/passwd", "/etc/passwd",
        "20260101/../../../etc/passwd", "20260101/packet_\x00", "20260101\\packet_1", "٢٠٢٦٠١٠١/packet_1",
        "20260101/packet_" + "0" * 26 + "\n", {"a": 1}, 7, ["x"],
    ],
)  # fmt: skip
def test_what_we_have_no_packet_of_is_refused(api, path):
    answer = trigger(api, path)
    assert (answer.status_code, Run.objects.exists()) == (400, False)
    assert "/etc/passwd:" not in answer.content.decode()


def test_an_item_of_a_batch_may_name_one(api):
    batch = api.post("/api/v3/batches", {"runCount": 2, "taskIdentifiers": ["hello"]}).json()["id"]
    options = {"payloadType": "application/store"}
    lines = [
        {"index": 0, "task": "hello", "payload": uploaded(api, b'{"a":1}'), "options": options},
        {"index": 1, "task": "hello", "payload": "20260101/gone", "options": options},
    ]
    answer = api.client.post(
        f"/api/v3/batches/{batch}/items",
        "\n".join(map(json.dumps, lines)).encode(),
        content_type="application/x-ndjson",
        headers=api.headers,
    )
    assert answer.json()["sealed"]
    assert Run.objects.get().payload == '{"a":1}'
    (problem,) = Batch.objects.get().problem_list
    assert (problem.place, "20260101/gone" in problem.message) == (1, True)


def test_an_address_admits_to_its_packet_for_its_verb_and_its_time_only(api, time_machine):
    time_machine.move_to("2030-01-01T00:00:00+00:00", tick=False)
    path, address = placed(api)
    other, _ = placed(api)
    forged = [
        address.replace(path, other),
        address.partition("?")[0],
        address[:-2],
        address + "x",
        f"{address.partition('?')[0]}?signature=%00%F0",
        f"/api/packets/../secret?{address.partition('?')[2]}",
    ]
    for wrong in forged:
        answer = put(api, wrong, b"1")
        assert (answer.status_code, "error" in answer.json()) == (403, True), wrong
        assert answer["x-should-retry"] == "false"
    assert api.client.get(address).status_code == 403
    assert put(api, address, b"1").status_code == 200
    time_machine.move_to("2030-01-01T01:00:02+00:00", tick=False)
    assert put(api, address, b"2").status_code == 403
    assert trigger(api, other).status_code == 400


def test_an_upload_that_cannot_be_a_payload_is_refused(api, settings, home):
    _, address = placed(api)
    assert put(api, address, b"1", "application/octet-stream").status_code == 415
    assert put(api, address, b"1", "application/json; charset=latin-1").status_code == 415
    assert put(api, address, b"1", **{"content-encoding": "gzip"}).status_code == 415
    settings.TRACKSIDE = {**settings.TRACKSIDE, "PAYLOAD_LIMIT": 10}
    large = b"x" * (2 << 20)
    assert put(api, address, large).status_code == 413
    assert api.client.post(address, b"1", content_type=JSON).status_code == 405
    assert api.client.delete(address).status_code == 405
    assert not list(home.rglob("*packet_*"))


def test_a_place_needs_a_key_and_a_name(api):
    assert api.client.put("/api/v2/packets/a.json").status_code == 401
    for name in ("..", "a/../b", "a//b", "/a", "a b", "é", "a\x00", "x" * 201, "a/" * 20 + "b"):
        answer = api.client.put(f"/api/v2/packets/{quote(name, safe='')}", headers=api.headers)
        assert answer.status_code in {400, 404}, name
    assert api.get("/api/v2/packets/a.json").status_code == 405


def test_a_full_disk_is_told_and_leaves_nothing(api, home, monkeypatch):
    path, address = placed(api)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(packetstore.os, "replace", full)
        answer = put(api, address, b"1")
    assert (answer.status_code, "no room" in answer.json()["error"]) == (507, True)
    assert not [found for found in home.rglob("*") if found.is_file()]
    with monkeypatch.context() as patched:
        patched.setattr(packetstore.WholeFiles, "_open", lambda *_: 1 / 0)
        assert trigger(api, path).status_code == 503
    assert put(api, address, b"1").status_code == 200
    assert trigger(api, path).status_code == 200


def test_a_storage_that_fails_breaks_a_batch_off_instead_of_losing_an_item(api, monkeypatch):
    batch = api.post("/api/v3/batches", {"runCount": 1, "taskIdentifiers": ["hello"]}).json()["id"]
    line = {"index": 0, "task": "hello", "payload": uploaded(api, b"1")}
    line["options"] = {"payloadType": "application/store"}
    monkeypatch.setattr(packetstore.WholeFiles, "_open", lambda *_: 1 / 0)
    answer = api.client.post(
        f"/api/v3/batches/{batch}/items",
        json.dumps(line).encode(),
        content_type="application/x-ndjson",
        headers=api.headers,
    )
    assert (answer.status_code, Batch.objects.get().problem_list) == (503, [])


def address_in(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["presignedUrl"].removeprefix("http://testserver")


def test_packets_and_values_of_runs_are_downloaded_by_signed_addresses(api):
    path = uploaded(api, b"plain", "text/plain")
    answer = api.client.get(address_in(api.get(f"/api/v1/packets/{quote(path, safe='')}")))
    assert (answer.content, answer["content-type"]) == (b"plain", "text/plain")
    run_id = api.trigger(body={"payload": {"a": "é"}}).json()["id"]
    answer = api.client.get(address_in(api.get(f"/api/v1/runs/{run_id}/packets/payload")))
    assert answer.content.decode() == Run.objects.get(pk=run_id).payload
    # as clients compare it, and never as a page of ours
    assert (answer["content-type"], answer["content-disposition"]) == (JSON, "attachment")
    for wrong in (
        f"/api/v1/runs/{run_id}/packets/output",
        f"/api/v1/runs/{run_id}/packets/status",
        f"/api/v1/runs/run_{'0' * 26}/packets/payload",
        "/api/v1/packets/20260101%2Fgone",
        "/api/v1/packets/..%2F..%2Fetc%2Fpasswd",
    ):
        assert api.get(wrong).status_code == 404, wrong


def test_a_large_value_of_a_run_has_an_address_instead(api, monkeypatch):
    monkeypatch.setattr(objects, "INLINE", 100)
    run_id = api.trigger(body={"payload": "x" * 200}).json()["id"]
    shown = api.get(f"/api/v3/runs/{run_id}").json()
    assert "payload" not in shown
    assert re.fullmatch(r"http://testserver/api/packets/run_\w+/payload\?signature=.+", shown["payloadPresignedUrl"])  # fmt: skip
    answer = api.client.get(shown["payloadPresignedUrl"].removeprefix("http://testserver"))
    assert answer.json() == "x" * 200


def test_packets_are_kept_for_a_day(api, home, time_machine, monkeypatch):
    time_machine.move_to("2030-01-01T12:00:00+00:00", tick=False)
    first = uploaded(api, b"1")
    (home / "of-somebody-else").mkdir()
    for day, kept in ((2, True), (3, False)):
        time_machine.move_to(f"2030-01-0{day}T13:00:00+00:00", tick=False)
        monkeypatch.setattr(packetstore, "_rests_until", 0.0)
        placed(api)
        assert (home / first).exists() is kept
    assert [found.name for found in home.iterdir()] == ["of-somebody-else"]


def test_who_may_read_a_run_gets_its_values_also_from_another_site(api, key):
    run_id = api.trigger(body={"payload": 1}).json()["id"]
    path, browser = (
        f"/api/v1/runs/{run_id}/packets/payload",
        {"origin": "https://elsewhere.example"},
    )
    reader = Api(signed(key, f"read:runs:{run_id}"))
    assert Api(signed(key, "read:runs:run_1")).get(path).status_code == 403
    answer = api.client.get(address_in(reader.get(path)), headers=browser)
    assert (answer.content, answer["access-control-allow-origin"]) == (b"1", "*")
    # what is uploaded is for keys alone
    assert reader.client.put("/api/v2/packets/a", headers=reader.headers).status_code == 401
