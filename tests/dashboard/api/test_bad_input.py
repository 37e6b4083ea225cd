"""What no client sends: to every address that takes a body, never a 5xx, always a sentence, nothing done."""

import json
from itertools import product
from urllib.parse import quote

import pytest

from runs.models import AuditLog, Batch, BulkAction, Run
from tests.dashboard.api.test_corpora import GENERATED
from tests.support.corpora import documents, every, needs_corpora, strings

pytestmark = pytest.mark.django_db
JSON, LINES = "application/json", "application/x-ndjson"
NOBODY = "run_" + "0" * 26
#: Method, address and type of everything about runs, batches and bulk actions that takes a body.
ADDRESSES = [
    ("POST", "/api/v1/tasks/hello/trigger", JSON),
    ("POST", "/api/v1/runs/{run}/replay", JSON),
    ("POST", "/api/v2/runs/{run}/cancel", JSON),
    ("POST", "/api/v1/runs/{run}/reschedule", JSON),
    ("POST", "/api/v1/runs/{run}/tags", JSON),
    ("PUT", "/api/v1/runs/{run}/metadata", JSON),
    ("POST", "/api/v1/idempotencyKeys/key/reset", JSON),
    ("POST", "/api/v3/batches", JSON),
    ("POST", "/api/v3/batches/{batch}/items", LINES),
    ("POST", "/api/v1/bulk-actions", JSON),
    ("POST", "/api/v1/runs/{run}/edit", JSON),
    ("POST", "/api/v1/purges", JSON),
    ("POST", "/api/v1/pauses", JSON),
    ("POST", "/api/v1/api-keys", JSON),
]
#: And with an id in its path; {} is where it stands.
PATHS = [
    ("GET", "/api/v3/runs/{}"), ("GET", "/api/v1/runs/{}/result"), ("GET", "/api/v1/runs/{}/metadata"),
    ("GET", "/api/v1/runs/{}/packets/payload"), ("GET", f"/api/v1/runs/{NOBODY}/packets/{{}}"),
    ("POST", "/api/v1/runs/{}/replay"), ("POST", "/api/v1/runs/{}/reschedule"), ("POST", "/api/v1/runs/{}/tags"),
    ("PUT", "/api/v1/runs/{}/metadata"), ("POST", "/api/v1/idempotencyKeys/{}/reset"),
    ("GET", "/api/v2/batches/{}"), ("GET", "/api/v1/batches/{}/results"), ("POST", "/api/v3/batches/{}/items"),
    ("GET", "/api/v1/bulk-actions/{}"), ("POST", "/api/v1/bulk-actions/{}/abort"),
    ("POST", "/api/v1/runs/{}/edit"), ("POST", "/api/v1/runs/{}/unlock"), ("POST", "/api/v1/api-keys/{}/revoke"),
    ("GET", "/api/v1/packets/{}"), ("PUT", "/api/packets/{}"), ("GET", "/api/packets/{}"),
]  # fmt: skip


@pytest.fixture
def send(api):
    """Sends anything to an address, and looks at what every answer has to be."""
    run = api.trigger(body={"options": {"delay": "1h"}}).json()["id"]
    batch = api.post("/api/v3/batches", {"runCount": 1}).json()["id"]

    def send(method, path, body=b"", kind=JSON, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        path = path.replace("{run}", run).replace("{batch}", batch)
        answer = api.client.generic(method, path, body, kind, headers={**api.headers, **headers})
        assert answer.status_code < 500, answer.content
        if answer.status_code >= 400:
            assert answer.json()["error"]
            assert answer["content-type"] == JSON
        return answer

    return send


def stored():
    """What a request may have left."""
    rows = Run.objects.values_list("pk", "metadata", "tags", "delay_until", "status")
    return (
        sorted(rows),
        sorted(Batch.objects.values_list("pk", "placed", "problems")),
        BulkAction.objects.count(),
        AuditLog.objects.count(),
    )


@pytest.mark.once
@pytest.mark.parametrize(("method", "path", "kind"), ADDRESSES)
def test_what_is_around_a_body_is_checked(send, method, path, kind):
    before = stored()
    for other in {"GET", "DELETE", "PATCH", "POST", "PUT"} - {method}:
        answer = send(other, path, b"{}", kind)
        reads = other == "GET" and answer.status_code == 200
        assert reads or answer.status_code == 405, other
        assert reads or answer["allow"]
    for wrong in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "/", "\x00"):
        assert send(method, path, b"{}", wrong).status_code == 415, wrong
    assert send(method, path, b"{}", kind, content_encoding="gzip").status_code == 415
    assert send(method, path, b"{", kind).status_code == 400
    assert send(method, path, b"\xff", kind).status_code == 400
    assert send(method, path, b"[]", kind).status_code == 400
    assert stored() == before


@pytest.mark.once
def test_a_body_that_says_it_is_too_large_is_not_read(send):
    before = stored()
    for method, path, kind in ADDRESSES:
        answer = send(method, path, b"{}", kind, content_length="999999999999")
        assert answer.status_code == 413, path
    assert stored() == before


@pytest.mark.once
def test_documents_that_are_no_body(send):
    before = stored()
    for (method, path, kind), raw in product(ADDRESSES, GENERATED.values()):
        if len(raw) < 50_000:
            assert send(method, path, raw, kind).status_code in {400, 413}, path
    assert stored() == before


@needs_corpora
@pytest.mark.once
def test_the_json_test_suite_as_bodies(send):
    before = stored()

    def holds(name, raw):
        for method, path, kind in ADDRESSES[1:]:
            if raw.strip():
                assert send(method, path, raw, kind).status_code in {200, 400, 413}, path

    # some of those that must be refused, and of those nobody agrees on
    chosen = list((documents("n") | documents("i")).items())[::5]
    every(holds, dict(chosen))
    assert stored() == before


@needs_corpora
@pytest.mark.once
def test_naughty_strings_in_paths(send):
    before = stored()

    def holds(name, text):
        there = quote(text.encode(errors="replace"), safe="")
        for method, path in PATHS:
            status = send(method, path.format(there), b"{}").status_code
            assert status in {400, 403, 404, 405, 415, 422}, (method, path)

    texts = [text for text in strings()[::25] if text] + ["\x00", "x" * 3000, "..", "%2e%2e", "%00"]
    every(holds, {text: text for text in texts})
    assert stored() == before


def some(step):
    """Of the naughty strings, and what databases take differently: lengths and characters."""
    return ["", "\x00", "\ud800", "x" * 31, "x" * 300, "x" * 3000, *strings()[::step]]


FIELDS = [
    ("/api/v1/runs/{run}/replay", lambda text: {"tags": [text], "queue": text}),
    ("/api/v1/runs/{run}/replay", lambda text: {"payload": text, "payloadType": text}),
    ("/api/v1/runs/{run}/reschedule", lambda text: {"delay": text}),
    ("/api/v1/runs/{run}/tags", lambda text: {"tags": text}),
    ("/api/v2/runs/{run}/cancel", lambda text: {"reason": text, "keepChildren": text}),
    ("/api/v1/idempotencyKeys/key/reset", lambda text: {"taskIdentifier": text}),
    ("/api/v3/batches", lambda text: {"runCount": 1, "idempotencyKey": text, "parentRunId": text}),
    ("/api/v3/batches", lambda text: {"runCount": 1, "taskIdentifiers": [text], "idempotencyKeyTTL": text}),
    ("/api/v3/batches", lambda text: {text: text}),
]  # fmt: skip


@needs_corpora
def test_naughty_strings_as_fields(send):
    def holds(name, text):
        for path, body in FIELDS:
            sent = json.dumps(body(text)).encode()
            assert send("POST", path, sent).status_code in {200, 202, 400, 404, 409, 422}

    every(holds, {text: text for text in some(40)})


@needs_corpora
def test_naughty_strings_in_metadata(send):
    def holds(name, text):
        for body in (
            {"metadata": {text: text}},
            {"operations": [{"type": "set", "key": text, "value": text}]},
            {"operations": [{"type": text, "key": "a"}, {"type": "append", "key": "a", "value": text}]},
            {"operations": [{"type": "set", "key": f"$.{text}", "value": 1}]},
        ):  # fmt: skip
            sent = json.dumps(body).encode()
            answer = send("PUT", "/api/v1/runs/{run}/metadata", sent)
            assert answer.status_code in {200, 400}, body
            if answer.status_code == 200 and "metadata" in body:
                assert answer.json()["metadata"] == {text: text}

    every(holds, {text: text for text in some(25)})


@needs_corpora
def test_naughty_strings_in_items_of_a_batch(api, send):
    texts = some(10)
    batch = api.post("/api/v3/batches", {"runCount": 1000}).json()["id"]

    def item(index, text):
        options = {"tags": [text], "idempotencyKey": text, "payloadType": "application/store"}
        return {"index": index, "task": text or "hello", "payload": text, "options": options}

    def holds(name, pair):
        line = json.dumps(item(*pair)).encode()
        answer = send("POST", f"/api/v3/batches/{batch}/items", line, LINES)
        assert answer.status_code in {200, 400}

    every(holds, {text: (index, text) for index, text in enumerate(texts)})
    assert not Run.objects.filter(batch_id=batch).exists()
    errors = api.get(f"/api/v2/batches/{batch}").json()["processing"]["errors"]
    assert len(errors) > len(texts) / 2
    assert all(one["error"] for one in errors)


@needs_corpora
@pytest.mark.once
def test_naughty_strings_as_headers_of_requests(api):
    def holds(name, text):
        header = text.encode(errors="replace").decode("latin-1")
        for name in ("x-trigger-request-idempotency-key", "traceparent", "x-trigger-branch"):
            assert api.trigger(body={}, **{name: header}).status_code == 200

    texts = [text for text in strings()[::9] if text.isprintable()]
    every(holds, {text: text for text in texts})
