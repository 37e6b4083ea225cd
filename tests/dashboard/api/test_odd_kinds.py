"""Bad input to what there is beside runs: kept as it came, or a 4xx that says why."""

from urllib.parse import quote

import pytest

from runs.lifecycle import envvars, tokens
from runs.limits import UNSTORABLE
from runs.models import EnvVar, Schedule, Waitpoint
from tests.dashboard.api.test_corpora import texts
from tests.support.corpora import documents, every, needs_corpora, strings
from tests.support.factories import task
from tests.support.rows import make_queue

pytestmark = pytest.mark.django_db
#: What the databases or the addresses would take differently; all else is the same code everywhere.
ODD = ["", " ", "\x00", "a\x00b", "\ud800", "😀", "\x1b[31m", "%s", "'", "x" * 129, "x" * 10_000]
DAILY = {"task": "report", "cron": "0 5 * * *", "deduplicationKey": "daily"}
VARIABLES = "/api/v1/projects/p/envvars/dev"
TOKENS = "/api/v1/waitpoints/tokens"
#: Each address with a body, and the body into which a text goes.
BODIES = [
    *(("POST", "/api/v1/schedules", lambda text, name=name: {**DAILY, name: text}) for name in (
        "task", "cron", "timezone", "window", "overlap", "catchUp", "environments",
    )),
    ("POST", "/api/v1/schedules", lambda text: {**DAILY, text: text}),
    ("POST", "/api/v1/queues/slow/pause", lambda text: {"type": "custom", "action": text}),
    ("POST", "/api/v1/queues/slow/pause", lambda text: {"type": text, "action": "resume"}),
    ("POST", "/api/v1/queues/slow/concurrency/override",
     lambda text: {"type": "custom", "rateLimit": text}),
    ("POST", "/api/v1/queues/slow/concurrency/override",
     lambda text: {"type": "custom", "concurrencyLimit": 1, "expiresAt": text}),
    ("POST", TOKENS, lambda text: {"timeout": text}),
    ("POST", TOKENS, lambda text: {"idempotencyKeyTTL": text, "idempotencyKey": "k"}),
    ("POST", TOKENS, lambda text: {"tags": [text]}),
    ("POST", TOKENS, lambda text: {text: text}),
    ("POST", VARIABLES, lambda text: {"name": text, "value": text}),
    ("POST", f"{VARIABLES}/import", lambda text: {"variables": {text: text}, "override": True}),
]  # fmt: skip
#: Each address a text goes into.
PATHS = [
    ("GET", "/api/v1/schedules/{}"), ("DELETE", "/api/v1/schedules/{}"),
    ("POST", "/api/v1/schedules/{}/activate"),
    ("GET", "/api/v1/queues/{}"), ("POST", "/api/v1/queues/{}/concurrency/reset"),
    ("GET", TOKENS + "/{}"), ("POST", TOKENS + "/{}/complete"),
    ("POST", TOKENS + "/waitpoint_1/callback/{}"), ("POST", TOKENS + "/{}/callback/x"),
    ("GET", VARIABLES + "/{}"), ("DELETE", VARIABLES + "/{}"),
    ("GET", "/api/v1/projects/{}/envvars/prod"), ("GET", "/api/v1/projects/p/envvars/{}"),
]  # fmt: skip
QUERIES = [
    ("/api/v1/schedules", "page"), ("/api/v1/schedules", "perPage"), ("/api/v1/queues", "page"),
    ("/api/v1/queues/slow", "type"), ("/api/v1/timezones", "excludeUtc"),
    (TOKENS, "filter[status]"), (TOKENS, "filter[idempotencyKey]"), (TOKENS, "filter[tags]"),
    (TOKENS, "filter[createdAt][period]"), (TOKENS, "page[size]"), (TOKENS, "page[after]"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _there(db):
    task("report")
    make_queue("slow")


def said_why(answer):
    """Refused with a sentence and nothing of ours in it."""
    assert 400 <= answer.status_code < 500, answer.content[:300]
    assert answer.json()["error"]
    assert "Traceback" not in answer.json()["error"]


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_odd_text_in_bodies(api, method, path, body):
    for text in ODD:
        answer = api.send(method, path, body(text))
        if answer.status_code != 200:
            said_why(answer)


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_odd_text_in_addresses(api, method, path):
    for text in ODD:
        answer = api.send(method, path.format(quote(text.encode(errors="replace"), safe="")))
        # an empty part, or one with line ends, leads to another address
        if text and not (path.endswith("{}") and answer.status_code == 405):
            said_why(answer)


@pytest.mark.parametrize(("path", "name"), QUERIES)
def test_odd_text_in_queries(api, path, name):
    for text in ODD:
        answer = api.get(path, **{name: text.encode(errors="replace").decode()})
        if answer.status_code != 200:
            said_why(answer)


@needs_corpora
@pytest.mark.once
def test_the_json_test_suite_as_a_body(api):
    def holds(name, raw):
        answer = api.post("/api/v1/schedules", raw)
        if answer.status_code != 200:
            said_why(answer)

    every(holds, documents())
    assert not Schedule.objects.exists()


@needs_corpora
def test_naughty_strings_come_back_as_variables(api):
    found = {f"V{n}": text for n, text in enumerate(texts()) if not UNSTORABLE.search(text)}
    names = list(found)
    for start in range(0, len(names), envvars.MOST):
        part = {name: found[name] for name in names[start : start + envvars.MOST]}
        EnvVar.objects.all().delete()
        assert api.post(f"{VARIABLES}/import", {"variables": part}).status_code == 200
        assert {one["name"]: one["value"] for one in api.get(VARIABLES).json()} == part
        assert envvars.loaded().values == part


@needs_corpora
def test_naughty_strings_come_back_from_schedules(api):
    def holds(name, text):
        answer = api.post("/api/v1/schedules", {**DAILY, "externalId": text})
        if answer.status_code != 200:
            said_why(answer)
        else:
            assert answer.json()["externalId"] == Schedule.objects.get().external_id == text

    every(holds, {text: text for text in ODD + strings()[::16]})


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
def test_another_content_type_is_refused(api, kind):
    for path in ("/api/v1/schedules", VARIABLES, TOKENS, "/api/v1/queues/slow/pause"):
        answer = api.client.generic(
            "POST", path, b'{"a": 1}', content_type=kind, headers=api.headers
        )
        assert (answer.status_code, bool(answer.json()["error"])) == (415, True)


@pytest.mark.parametrize("headers", [
    {"content-encoding": "gzip"}, {"content-type": "application/json; charset=utf-16"},
])  # fmt: skip
def test_another_encoding_is_refused(api, headers):
    answer = api.client.generic(
        "POST", VARIABLES, b"{}", content_type="application/json", headers=api.headers | headers
    )
    assert answer.status_code == 415


def test_a_body_that_is_too_long_is_refused_unread(api):
    answer = api.client.generic(
        "POST", VARIABLES, b"{}", content_type="application/json",
        headers=api.headers | {"content-length": "99999999999"},
    )  # fmt: skip
    assert answer.status_code == 413


def test_ids_of_another_deployment_are_not_found(api):
    token = tokens.create()[0]
    answer = api.post(f"{TOKENS}/waitpoint_{'0' * 26}/complete", {})
    assert answer.status_code == 404
    assert api.post(f"{TOKENS}/{token.pk}/complete", {}).status_code == 200
    assert Waitpoint.objects.get().status == "COMPLETED"
