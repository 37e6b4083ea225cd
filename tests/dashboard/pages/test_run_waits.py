"""A run that waits, on its page."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.journal import Entry
from runs.lifecycle import TriggerOptions, tokens, trigger
from runs.models import Run, Source
from runs.states import EntryKind, EntryStatus
from tests.support import factories

pytestmark = pytest.mark.django_db


def page(client, run_id, tab=""):
    return client.get(f"/runs/{run_id}?tab={tab}").content.decode()


def entry(kind, name="", **facts):
    facts = {"status": EntryStatus.DONE, "attempt": 1, "ordinal": 1, "position": 1} | facts
    return Entry(kind=kind, name=name, started_at=timezone.now(), **facts)


def waiting_for_time():
    """A run in a wait of a day."""
    one = factories.executing_run()
    due = timezone.now() + timedelta(days=1)
    wait = entry(EntryKind.WAIT, status=EntryStatus.PENDING, due_at=due)
    factories.suspend(one, due=due, entries=(wait,))
    return one


def test_says_until_when_it_waits_and_lets_skip(operator):
    one = waiting_for_time()
    text = page(operator, one.run_id)
    assert "What it waits for" in text
    assert "Until" in text
    assert f"/runs/{one.run_id}/skip" in text
    assert operator.post(f"/runs/{one.run_id}/skip").status_code == 303
    assert one.run.status == "QUEUED"
    assert "Resuming" in page(operator, one.run_id)


def test_shows_the_tries_of_a_block(viewer):
    one = factories.executing_run()
    due = timezone.now() + timedelta(minutes=5)
    paused = entry(
        EntryKind.WAIT, "retry.on_throw 1", status=EntryStatus.PENDING, due_at=due, args="try 1"
    )
    over = entry(EntryKind.WAIT, "retry.on_throw 1", ordinal=2, position=2, args="over")
    factories.suspend(one, due=due, entries=(paused, over))
    text = page(viewer, one.run_id, "journal")
    assert text.count("retry.on_throw 1") == 2
    assert text.count("until <time") == 1


def test_a_viewer_may_not_skip(viewer):
    one = waiting_for_time()
    assert viewer.post(f"/runs/{one.run_id}/skip").status_code == 403
    assert one.run.status == "WAITING"


def test_what_is_no_time_wait_cannot_be_skipped(operator):
    one = factories.executing_run()
    assert operator.post(f"/runs/{one.run_id}/skip").status_code == 409


def test_says_for_which_runs_and_tokens(viewer):
    one = factories.executing_run()
    options = TriggerOptions(parent_id=one.run_id, awaited=True)
    child = trigger("send", None, options, source=Source.SDK).run_id
    token = tokens.create(timeout=60.0)[0].pk
    factories.suspend(one, targets=(child, token))
    text = page(viewer, one.run_id)
    assert f"/runs/{child}" in text
    assert f"/wait-tokens/{token}" in text
    assert "when all of them have ended" in text


def test_shows_the_attempt_with_its_segments(viewer):
    by = factories.session()
    one = factories.executing_run(by)
    factories.suspend(one)
    assert "Attempt 1" in page(viewer, one.run_id, "attempts")
    assert "in 1 segment<" in page(viewer, one.run_id, "attempts")

    factories.lifecycle.store.current().resume([one.run_id])
    again = factories.claim(by)[0]
    factories.start(again)
    factories.complete(again)
    assert "in 2 segments" in page(viewer, one.run_id, "attempts")


def test_the_journal_shows_what_it_remembers(viewer, few_reads):
    one = factories.executing_run()
    child = factories.trigger()
    entries = [
        entry(EntryKind.STEP, "load order", result='{"id": 7}'),
        entry(
            EntryKind.STEP,
            "charge",
            status=EntryStatus.FAILED,
            error=json.dumps({"name": "CardError", "message": "<declined>"}),
        ),
        entry(EntryKind.CHILD, "send", status=EntryStatus.PENDING, target=child.pk),
        entry(EntryKind.WARNING, "step:load order", result='{"was": "[1]", "now": "[2]"}'),
    ]
    factories.lifecycle.store.current().record(*one.lease, entries)
    with few_reads(12):
        text = page(viewer, one.run_id, "journal")
    assert "load order" in text
    assert "CardError: &lt;declined&gt;" in text
    assert child.pk in text
    assert "was called with [2], recorded was [1]" in text


def test_an_empty_journal_says_what_appears_there(viewer):
    run = factories.queued_run()
    assert "Nothing is remembered" in page(viewer, run.pk, "journal")
    assert Run.objects.count() == 1
