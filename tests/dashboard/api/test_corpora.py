"""Bad input through the API and through the domain: kept byte for byte, or a 4xx that says why."""

import json
from urllib.parse import quote

import pytest

from runs import lifecycle, payloads
from runs.errors import InvalidPayload
from runs.models import Queue, Run, Source
from tests.support.corpora import documents, needs_corpora, strings

pytestmark = pytest.mark.django_db

GENERATED = {
    "deepest": b"[" * 64 + b"]" * 64,
    "too deep": b"[" * 65 + b"]" * 65,
    "far too deep": b'{"a":' * 100_000,
    "most digits": b"1" * 1000,
    "too many digits": b"1" * 1001,
    "endless digits": b"1" * 5000,
    "beyond a double": b"1e400",
    "below a double": b"1e-400",
    "exponent in capitals": b"1E+2",
    "minus nothing": b"-0.0",
    "repeated keys": b'{"a":1,"a":2}',
    "prototype": b'{"__proto__":{"admin":true},"constructor":{"prototype":1}}',
    "escaped nul": b'{"\\u0000":"\\u0000"}',
    "lone surrogate": b'["\\ud800","\\udc00\\ud800"]',
    "surrogate pair": b'"\\ud83d\\ude00"',
    "raw nul": b'"\x00"',
    "raw newline": b'"\n"',
    "line separators": '"\u2028\u2029\u0085"'.encode(),
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "overlong": b'"\xc0\x80"',
    "surrogate in utf-8": b'"\xed\xa0\x80"',
    "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(50_000)) + b"}",
    "comment": b"/**/1",
    "single quotes": b"{'a':1}",
    "html": b'"</script><script>alert(1)</script>"',
}


def expected(raw):
    try:
        return payloads.clean(raw)
    except InvalidPayload:
        return None


def through(api, body):
    """The stored payload after a round trip, or None after a 400 with a reason."""
    answer = api.trigger(body=body)
    if answer.status_code != 200:
        assert answer.status_code == 400, answer.content[:300]
        assert answer.json()["error"]
        return None
    run_id = answer.json()["id"]
    text = Run.objects.get(pk=run_id).payload
    shown = api.get(f"/api/v3/runs/{run_id}")
    assert f'"payload":{text}'.encode() in shown.content
    assert shown.json()["payload"] == json.loads(text)
    return text


def as_value(raw):
    return b'{"payload":' + raw + b"}"


def as_text(raw):
    options = {"payloadType": "application/json"}
    return json.dumps({"payload": raw.decode(), "options": options}).encode()


def check(api, name, raw):
    wanted = expected(raw)
    assert through(api, as_value(raw)) == wanted, name
    try:
        body = as_text(raw)
    except UnicodeDecodeError:
        assert wanted is None
    else:
        assert through(api, body) == wanted, name


@pytest.mark.parametrize(("name", "raw"), GENERATED.items(), ids=GENERATED)
def test_our_own_documents(api, name, raw):
    check(api, name, raw)


@needs_corpora
@pytest.mark.parametrize(("name", "raw"), documents().items(), ids=documents())
def test_the_json_test_suite(api, name, raw):
    # in a body such a document cannot stand alone: it ends the object it is in
    if name not in {
        "n_structure_object_with_trailing_garbage.json",
        "n_structure_close_unopened_array.json",
    }:
        check(api, name, raw)
    assert (expected(raw) is not None) or not name.startswith("y_")
    assert (expected(raw) is None) or not name.startswith("n_")


@needs_corpora
@pytest.mark.parametrize(("name", "raw"), documents().items(), ids=documents())
def test_the_json_test_suite_as_the_whole_body(api, name, raw):
    assert api.trigger(body=raw).status_code in {200, 400}


@needs_corpora
def test_naughty_strings_as_payloads(api):
    for text in strings():
        raw = json.dumps({"payload": text}, ensure_ascii=False).encode()
        assert through(api, raw) == json.dumps(text, ensure_ascii=False)
        plain = {"payload": text, "options": {"payloadType": "text/plain"}}
        run_id = api.trigger(body=plain).json()["id"]
        assert json.loads(Run.objects.get(pk=run_id).payload) == text


@needs_corpora
def test_naughty_strings_through_the_domain():
    for text in strings():
        document = payloads.dumps({text: [text]})
        made = lifecycle.trigger("hello", payloads.clean(document), source=Source.SDK)
        assert Run.objects.get(pk=made.run_id).payload == document


@needs_corpora
def test_naughty_strings_as_task_ids(api):
    for text in strings():
        answer = api.trigger(quote(text, safe=""))
        if answer.status_code == 200:
            assert Run.objects.get(pk=answer.json()["id"]).task_id == text
        else:
            assert answer.status_code in {400, 404}, text


OPTIONS = [
    lambda text: {"tags": [text]},
    lambda text: {"idempotencyKey": text},
    lambda text: {"queue": {"name": text}},
    lambda text: {"lockToVersion": text},
    lambda text: {"machine": text},
    lambda text: {"delay": text},
    lambda text: {"ttl": text},
    lambda text: {"parentRunId": text},
    lambda text: {text: text},
    lambda text: {"idempotencyKey": "k", "idempotencyKeyOptions": {"key": text, "scope": text}},
]


@needs_corpora
@pytest.mark.parametrize("option", OPTIONS)
def test_naughty_strings_as_options(api, option):
    for text in [*strings(), "\x00", "\ud800", "\x1b[31m", "x" * 10_000]:
        answer = api.trigger(body={"payload": 1, "options": option(text)})
        assert answer.status_code in {200, 400, 422}, (text, answer.content)


@needs_corpora
def test_naughty_strings_come_back_as_they_were(api):
    for text in strings():
        options = {"tags": [text], "concurrencyKey": text, "metadata": {text: text}}
        answer = api.trigger(body={"options": options})
        if answer.status_code == 200:
            shown = api.get(f"/api/v3/runs/{answer.json()['id']}").json()
            assert shown["tags"] == [text]
            assert shown["concurrencyKey"] == text
            assert shown["metadata"] == {text: text}
        else:
            assert not 1 <= len(text) <= 128


@needs_corpora
def test_naughty_strings_as_run_ids(api):
    for text in strings():
        path = quote(text, safe="")
        for answer in (
            api.get(f"/api/v3/runs/{path}"),
            api.post(f"/api/v2/runs/{path}/cancel"),
            api.post(f"/api/v1/runs/{path}/replay"),
        ):
            assert answer.status_code in {404, 405}, text


FILTERS = ["taskIdentifier", "tag", "queue", "version", "batch", "schedule"]


@needs_corpora
@pytest.mark.parametrize("names", [["status"], ["createdAt][from"], FILTERS])
def test_naughty_strings_as_filters(api, names):
    for text in strings():
        answer = api.get("/api/v1/runs", **{f"filter[{name}]": text for name in names})
        assert answer.status_code in {200, 400}, text


@needs_corpora
def test_naughty_strings_as_headers(key, client):
    for text in strings():
        header = text.encode(errors="replace").decode("latin-1")
        answer = client.get("/api/v1/runs", headers={"authorization": f"Bearer {header}"})
        assert answer.status_code == 401


def test_keys_that_look_alike_are_different(api):
    Queue.objects.create(name="q")
    keys = ["\u00e9", "e\u0301", "*", "", " ", ":", "a:b", "😀", "x" * 9000]
    made = [api.trigger(body={"options": {"queue": "q", "concurrencyKey": key}}) for key in keys]
    stored = [Run.objects.get(pk=answer.json()["id"]).concurrency_key for answer in made]
    assert stored == keys
