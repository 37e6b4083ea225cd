"""Bad input through the API and through the domain: kept byte for byte, or a 4xx that says why."""

import json
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from django.http import QueryDict

from dashboard.api import errors, queries, schemas
from runs import lifecycle, payloads
from runs.errors import InvalidPayload
from runs.lifecycle import TriggerItem, TriggerOptions
from runs.limits import UNSTORABLE
from runs.models import Queue, Run, Source
from tests.support.corpora import GROUPS, documents, every, needs_corpora, strings

pytestmark = pytest.mark.django_db

#: What SQLite and PostgreSQL would take differently: bytes they refuse, lengths, the astral plane.
DIFFERENT = [
    "", " ", "a", "\x00", "a\x00b", "\ud800", "a\udfffb", "😀", "e\u0301", "\x1b[31m", "\\", "%s", "'",
    "x" * 128, "x" * 129, "x" * 2049, "x" * 10_000,
]  # fmt: skip


def texts():
    """All naughty strings; where both databases would say the same, SQLite's answer is enough."""
    return {text: text for text in DIFFERENT + (strings() if connection.vendor == "sqlite" else [])}


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
@pytest.mark.once
@pytest.mark.parametrize("group", GROUPS)
def test_the_json_test_suite(api, group):
    def holds(name, raw):
        # in a body such a document cannot stand alone: it ends the object it is in
        if name not in {
            "n_structure_object_with_trailing_garbage.json",
            "n_structure_close_unopened_array.json",
        }:
            check(api, name, raw)
        assert (expected(raw) is not None) or group != "y"
        assert (expected(raw) is None) or group != "n"

    every(holds, documents(group))


@needs_corpora
@pytest.mark.once
def test_the_json_test_suite_as_the_whole_body(api):
    def holds(name, raw):
        assert api.trigger(body=raw).status_code in {200, 400}

    every(holds, documents())


@needs_corpora
def test_every_document_and_string_is_kept_by_the_database():
    """The columns, without the API: what goes in at the domain comes out again."""
    accepted = [expected(raw) for raw in [*GENERATED.values(), *documents().values()]]
    written = [payloads.dumps({text: [text]}) for text in strings()]
    items = [
        item(text, payload=document) for text, document in zip(strings(), written, strict=True)
    ]
    items += [item("a", payload=document) for document in accepted if document is not None]
    assert len(items) > 600
    made = [one.run_id for one in lifecycle.trigger_many(items, source=Source.SDK)]
    stored = Run.objects.in_bulk(made)
    for wanted, run_id in zip(items, made, strict=True):
        run, options = stored[run_id], wanted.options
        assert (run.task_id, run.payload) == (wanted.task_id, wanted.payload)
        assert (run.concurrency_key, run.metadata) == (options.concurrency_key, options.metadata)
        assert (tuple(run.tag_list), run.version) == (options.tags, options.version)


def item(text, payload):
    """A run with the text wherever a run takes one."""
    options = TriggerOptions(
        tags=(text[:128] or "a",),
        concurrency_key=text,
        metadata=json.dumps({text: text}),
        version=text[:64],
    )
    return TriggerItem(task_id=text[:128] or "a", payload=payload, options=options)


@needs_corpora
def test_naughty_strings_come_back_as_they_were(api):
    def holds(name, text):
        storable = not UNSTORABLE.search(text)
        options = {"tags": [text], "concurrencyKey": text, "metadata": {text: text}}
        wanted = json.dumps(text, ensure_ascii=not storable)
        body = as_value(wanted.encode())[:-1] + b',"options":' + json.dumps(options).encode() + b"}"
        answer = api.trigger(body=body)
        if answer.status_code != 200:
            assert answer.status_code in {400, 422}
            assert not storable or not 1 <= len(text) <= 128
            assert through(api, as_value(wanted.encode())) == wanted
            return
        run_id = answer.json()["id"]
        assert Run.objects.get(pk=run_id).payload == wanted
        content = api.get(f"/api/v3/runs/{run_id}").content
        assert f'"payload":{wanted}'.encode() in content
        shown = json.loads(content)
        assert (shown["payload"], shown["tags"], shown["concurrencyKey"]) == (text, [text], text)
        assert shown["metadata"] == {text: text}

    every(holds, texts())


@needs_corpora
def test_naughty_strings_as_plain_payloads(api):
    def holds(name, text):
        plain = {"payload": text, "options": {"payloadType": "text/plain"}}
        run_id = api.trigger(body=plain).json()["id"]
        assert json.loads(Run.objects.get(pk=run_id).payload) == text

    every(holds, texts())


@needs_corpora
def test_naughty_strings_as_task_ids(api):
    def holds(name, text):
        sent = text.encode(errors="replace").decode()
        answer = api.trigger(quote(sent, safe=""))
        if answer.status_code == 200:
            assert Run.objects.get(pk=answer.json()["id"]).task_id == sent
        else:
            assert answer.status_code in {400, 404}

    every(holds, texts())


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


def status_of(work):
    """What an endpoint answers that does this, without a request around it."""
    try:
        work()
    except Exception as error:
        return errors.response(error).status_code
    return 200


@needs_corpora
@pytest.mark.parametrize("option", OPTIONS)
def test_naughty_strings_as_options(option):
    def holds(name, text):
        def trigger():
            options = schemas.options(option(text), "options")
            lifecycle.trigger("hello", "1", options, source=Source.API)

        assert status_of(trigger) in {200, 400, 422}

    every(holds, texts())


@needs_corpora
@pytest.mark.once
def test_naughty_strings_as_run_ids(api):
    """All of them where runs are looked up; what differs elsewhere is the address alone."""

    def holds(name, text):
        path = quote(text.encode(errors="replace"), safe="")
        answers = [api.get(f"/api/v3/runs/{path}")]
        if text in DIFFERENT or not text.isascii():
            answers += [
                api.post(f"/api/v2/runs/{path}/cancel"),
                api.post(f"/api/v1/runs/{path}/replay"),
            ]
        assert {answer.status_code for answer in answers} <= {404, 405}

    every(holds, texts())


FILTERS = ["taskIdentifier", "tag", "queue", "version", "batch", "schedule"]


@needs_corpora
def test_naughty_strings_as_filters(api):
    def holds(name, text):
        sent = text.encode(errors="replace").decode()
        answer = api.get("/api/v1/runs", **{f"filter[{name}]": sent for name in FILTERS})
        assert answer.status_code in {200, 400}

    every(holds, texts())


@needs_corpora
@pytest.mark.parametrize("name", ["status", "createdAt][from"])
def test_naughty_strings_as_what_a_filter_does_not_know(name):
    def holds(_, text):
        asked = QueryDict(urlencode({f"filter[{name}]": text}, errors="replace"))
        assert status_of(lambda: list(queries.runs(queries.values(asked)))) in {200, 400}

    every(holds, texts())


@needs_corpora
@pytest.mark.once
def test_naughty_strings_as_headers(key, client):
    def holds(name, text):
        header = text.encode(errors="replace").decode("latin-1")
        answer = client.get("/api/v1/runs", headers={"authorization": f"Bearer {header}"})
        assert answer.status_code == 401

    every(holds, texts())


def test_keys_that_look_alike_are_different(api):
    Queue.objects.create(name="q")
    keys = ["\u00e9", "e\u0301", "*", "", " ", ":", "a:b", "😀", "x" * 9000]
    made = [api.trigger(body={"options": {"queue": "q", "concurrencyKey": key}}) for key in keys]
    stored = [Run.objects.get(pk=answer.json()["id"]).concurrency_key for answer in made]
    assert stored == keys
