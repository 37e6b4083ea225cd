"""What bodies and clients wrote, planted everywhere: who must not see it finds it nowhere."""

import json
from contextlib import suppress
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from dashboard.api import urls as api_urls
from dashboard.api.auth import authenticate
from dashboard.pages import run_tabs
from dashboard.pages import urls as page_urls
from dashboard.realtime import rows as realtime_rows
from runs import tracing
from runs.lifecycle import apikeys, tokens
from runs.models import (
    Attempt,
    Batch,
    Journal,
    LogLine,
    Payloads,
    Role,
    Run,
    Span,
    Stream,
    StreamChunk,
)
from runs.states import EntryStatus
from tests.support import rows
from tests.support.failing import group_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

#: Words in ordinary places, and words the settings redact: by the member's name, and by a pattern.
PLAIN, SECRET, CARD = "plainspoken", "hunter2hunter2", "4111111111111111"
DOCUMENT = json.dumps(
    {"note": PLAIN, "user": {"password": SECRET}, "list": [{"pay": f"card {CARD}"}]}
)
TEXT = f"{PLAIN} password={SECRET} card {CARD}"
ERROR = json.dumps(
    {
        "name": "DeliveryError",
        "message": TEXT,
        "stack_trace": f"Traceback\n  {TEXT}",
        "frames": [],
        "causes": [{"name": "Other", "message": TEXT, "relation": "cause"}],
    }
)
TABS = dict(run_tabs.TABS)


@pytest.fixture(autouse=True)
def _patterns(settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "REDACT": {"text": [r"\b4\d{15}\b"]}}


@pytest.fixture
def planted():
    """A failed run, a completed one, a batch and a token, all of them full of it."""
    failed = rows.failed_run(payload=DOCUMENT, error=ERROR, metadata=DOCUMENT)
    done = rows.completed_run(payload=DOCUMENT, output=DOCUMENT, metadata=DOCUMENT)
    for run in (failed, done):
        _write(run)
    token, _ = tokens.create(timeout=60)
    tokens.complete(token.pk, DOCUMENT, by="url")
    problem = [0, "hello", TEXT, "INVALID_PAYLOAD"]
    batch = Batch.objects.create(
        id="batch_" + "0" * 26,
        run_count=1,
        problems=json.dumps([problem]),
        created_at=timezone.now(),
    )
    group = group_of(failed)
    return SimpleNamespace(failed=failed, done=done, token=token, batch=batch, group=group)


def _write(run):
    now = timezone.now()
    Attempt.objects.filter(run_id=run.pk).update(error=run.error)
    LogLine.objects.create(run_id=run.pk, attempt=1, at=now, level=20, logger="root", message=TEXT)
    Span.objects.create(
        run_id=run.pk, attempt=1, span_id="a" * 16, parent_id=tracing.attempt_span_id(run.pk, 1),
        kind="user", name="call", status="error", error=TEXT, attributes=json.dumps(
            {"http.authorization": SECRET, "note": PLAIN, "card": int(CARD),
             tracing.EVENTS: [[1, "told", {"password": SECRET, "note": PLAIN}]]}
        ), started_at=now, ended_at=now, at=now,
    )  # fmt: skip
    Stream.objects.create(run_id=run.pk, key="said", count=1, created_at=now)
    StreamChunk.objects.create(run_id=run.pk, key="said", number=0, text=DOCUMENT, at=now)
    for ordinal, facts in enumerate(({"result": DOCUMENT}, {"error": ERROR})):
        Journal.objects.create(
            run_id=run.pk, kind="step", name="charge", ordinal=ordinal, attempt=1, position=ordinal,
            status=EntryStatus.FAILED if "error" in facts else EntryStatus.DONE,
            args=DOCUMENT, started_at=now, finished_at=now, **facts,
        )  # fmt: skip


def arguments(planted, run):
    return {
        "run_id": run.pk, "task_id": "hello", "name": "task/hello", "batch_id": planted.batch.pk,
        "token_id": planted.token.pk, "signature": "x", "field": "payload", "number": 1,
        "project": "p", "slug": "dev", "fingerprint": planted.group.pk,
    }  # fmt: skip


def addresses(module, namespace, planted):
    """Of every page or endpoint, for both runs; what wants a name nobody knows is a 404."""
    for pattern in module.urlpatterns:
        if not pattern.name or pattern.name == "answer":
            continue
        wanted = pattern.pattern.converters
        for run in (planted.failed, planted.done)[: 2 if "run_id" in wanted else 1]:
            known = arguments(planted, run)
            values = {name: known.get(name, "1") for name in wanted}
            with suppress(NoReverseMatch):  # a queue's name has a slash, a variable's none
                yield reverse(f"{namespace}:{pattern.name}", kwargs=values)


def pages(planted):
    yield from addresses(page_urls, "dashboard", planted)
    for run in (planted.failed, planted.done):
        yield from (f"/runs/{run.pk}?tab={tab}" for tab in TABS)
        yield from (f"/runs/{run.pk}/raw/{name}" for name in ("output", "metadata", "error"))
    yield from (f"/runs/{planted.failed.pk}/live?tab={tab}" for tab in TABS)
    yield from (f"/logs?q={word}" for word in ("card", "plain"))
    yield f"/runs/compare?a={planted.failed.pk}&b={planted.done.pk}&all=1"
    yield f"/test/hello?from={planted.failed.pk}"
    yield "/runs?col=payload.note&col=payload.user&col=output.user.password&col=metadata.list"


def found_in(client, addresses, words, **headers):
    """Which addresses answer with which of the words."""
    found, good = [], 0
    for address in addresses:
        answer = client.get(address, headers=headers)
        assert answer.status_code < 500, address
        good += answer.status_code == 200
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        found += [(address, word) for word in words if word in body.decode()]
    assert good > 10
    return found


def client_of(*permissions, **facts):
    client = Client()
    client.force_login(rows.make_user("vera", *permissions, **facts))
    return client


def test_without_the_right_nothing_is_in_any_page(planted):
    blind = client_of("change_run", "change_queue")
    assert not found_in(blind, pages(planted), (PLAIN, SECRET, CARD))


def test_with_the_right_all_but_what_is_redacted(planted):
    root = client_of(is_superuser=True, is_staff=True)
    found = found_in(root, pages(planted), (PLAIN, SECRET, CARD))
    assert {word for _, word in found} == {PLAIN}
    shown = {address for address, _ in found}
    for run in (planted.failed, planted.done):
        for tab in ("trace", "payload", "logs", "journal", "streams"):
            assert f"/runs/{run.pk}?tab={tab}" in shown
        assert {f"/runs/{run.pk}/raw/{name}" for name in ("metadata", "logs", "trace")} <= shown


def test_what_is_around_a_redacted_value_stays_byte_for_byte(planted):
    answer = client_of("view_run", "view_payload").get(f"/runs/{planted.done.pk}/raw/output")
    expected = DOCUMENT.replace(f'"{SECRET}"', '"[redacted]"').replace(CARD, "[redacted]")
    assert answer.content.decode() == expected


def test_a_search_is_no_way_to_guess_what_is_redacted(planted):
    reader = client_of("view_run", "view_payload")
    assert "DeliveryError" in reader.get("/errors?text=deliv").content.decode()
    assert "DeliveryError</a>" not in reader.get(f"/errors?text={SECRET}").content.decode()
    for tab in ("logs", "trace"):
        page = f"/runs/{planted.failed.pk}?tab={tab}&q="
        hit, missed = reader.get(page + SECRET[:6]), reader.get(page + "nothing like it")
        assert PLAIN in reader.get(page + PLAIN).content.decode()
        for answer in (hit, missed):
            # above the tab stands what went wrong, whatever is searched for
            assert PLAIN not in answer.content.decode().split('id="tab-body"')[1]


def test_the_search_of_all_logs_counts_nothing_that_is_masked(planted):
    reader = client_of("view_run", "view_payload")
    assert reader.get(f"/logs?q={PLAIN}").context["found"].matches
    masked = reader.get(f"/logs?q={SECRET[:6]}")
    assert not masked.context["found"].matches
    assert not masked.context["hits"]


@pytest.mark.parametrize(
    ("permissions", "search", "said"),
    [
        (("view_run",), f"payload.note:{PLAIN}", "may not see the payload"),
        (("view_run",), "error:plain", "may not see messages of errors"),
        (("view_run", "view_payload"), f"payload.user.password:{SECRET}", "is redacted"),
        (("view_run", "view_payload"), f"output.list:{CARD}", "is redacted"),
        (("view_run", "view_payload"), f"payload.note:{PLAIN}", ""),
    ],
)
def test_a_filter_is_no_way_to_guess_either(planted, permissions, search, said):
    answer = client_of(*permissions).get("/runs", {"q": search})
    assert answer.status_code == (400 if said else 200)
    assert said in answer.content.decode()
    assert (planted.done.pk in answer.content.decode()) is not bool(said)
    places = suggested(permissions)
    assert ("payload.note" in places) is ("view_payload" in permissions)


def suggested(permissions):
    client = Client()
    client.force_login(rows.make_user("sue", *permissions))
    return client.get("/runs/suggest", {"q": "payload."}).content.decode()


def key(role, payloads=None):
    text = apikeys.create(f"{role} {payloads}", actor="cli:t", role=role, payloads=payloads)[1]
    return {"authorization": f"Bearer {text}"}


def test_a_viewers_key_reads_nothing_of_it(planted):
    endpoints = list(addresses(api_urls, "api", planted))
    assert not found_in(Client(), endpoints, (PLAIN, SECRET, CARD), **key(Role.VIEWER))


def test_other_keys_read_as_much_as_they_may(planted):
    endpoints = list(addresses(api_urls, "api", planted))
    redacted = key(Role.ADMIN, Payloads.REDACTED)
    found = found_in(Client(), endpoints, (PLAIN, SECRET, CARD), **redacted)
    assert {word for _, word in found} == {PLAIN}
    answer = Client().get(f"/api/v3/runs/{planted.done.pk}", headers=key(Role.ADMIN))
    assert json.loads(answer.content)["payload"] == json.loads(DOCUMENT)


def test_the_address_of_a_large_value_gives_no_more_than_its_key(planted, monkeypatch):
    monkeypatch.setattr("dashboard.api.objects.INLINE", 10)
    answers = {}
    for payloads in (Payloads.REDACTED, Payloads.STORED):
        run = Client().get(f"/api/v3/runs/{planted.done.pk}", headers=key(Role.OPERATOR, payloads))
        answers[payloads] = Client().get(run.json()["outputPresignedUrl"]).content.decode()
    assert SECRET not in answers[Payloads.REDACTED]
    assert answers[Payloads.STORED] == DOCUMENT


def test_realtime_tells_no_more_than_pages(planted):
    text = apikeys.create("k", actor="cli:t", role=Role.VIEWER)[1]
    ids = list(Run.objects.values_list("pk", flat=True))
    told = "".join(
        message for _, message in realtime_rows.messages(ids, authenticate(text).skipped)
    )
    assert not any(word in told for word in (PLAIN, SECRET, CARD))
    redacted = "".join(message for _, message in realtime_rows.messages(ids, {"(redacted)"}))
    assert PLAIN in redacted
    assert SECRET not in redacted
    assert CARD not in redacted


def test_a_form_keeps_what_it_does_not_show(planted):
    page = f"/runs/{planted.done.pk}/replay"
    operator = client_of("change_run", "view_payload")
    shown = operator.get(page).context["form"]["payload"].value()
    assert SECRET not in shown
    sent = {"payload": shown.replace(PLAIN, "other"), "token": "t"}
    answer = operator.post(page, sent)
    made = Run.objects.get(pk=answer.headers["location"].rpartition("/")[2])
    assert made.payload == DOCUMENT.replace(PLAIN, "other")
    refused = operator.post(page, {"payload": '{"new": "[redacted]"}', "token": "u"})
    assert refused.status_code == 422
    assert "write the value itself" in refused.content.decode()


def test_who_may_not_see_a_payload_replays_it_as_it_is(planted):
    page = f"/runs/{planted.done.pk}/replay"
    operator = client_of("change_run")
    answer = operator.post(page, {"payload": "", "token": "t"})
    made = Run.objects.get(pk=answer.headers["location"].rpartition("/")[2])
    assert made.payload == DOCUMENT
    assert made.seed_metadata == DOCUMENT


def test_what_is_streamed_is_masked_too(planted):
    made = rows.completed_run(output=DOCUMENT, batch_id=planted.batch.pk)
    Batch.objects.update(placed=json.dumps([[0, made.pk]]))
    page = f"/api/v1/batches/{planted.batch.pk}/results"
    answer = Client().get(page, headers=key(Role.ADMIN, Payloads.REDACTED))
    text = answer.getvalue().decode()
    assert made.pk in text
    assert PLAIN in text
    assert SECRET not in text
