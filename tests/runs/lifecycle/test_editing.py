import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs import lifecycle, payloads
from runs.errors import (
    IllegalTransition,
    InvalidOption,
    InvalidPayload,
    NotFound,
    PayloadTooLarge,
    UnknownQueue,
)
from runs.lifecycle import Edit, attempts
from runs.models import NEVER, AuditLog, Bucket, Event, Ready, Run
from runs.states import RunStatus
from tests.support.factories import (
    ERROR,
    claim,
    delayed_run,
    ended_run,
    executing_run,
    finish,
    history,
    parked_run,
    queue,
    session,
    task,
    trigger,
    waiting_run,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def edit(run, **changes) -> Any:
    return lifecycle.edit(run.pk, Edit(**changes), actor="user:ada")


def order():
    return [one.run_id for one in claim(session(slots=9), 9)]


def test_a_higher_priority_goes_first_and_the_place_is_kept():
    first, second, third = trigger(), trigger(), trigger()
    assert edit(third, priority=60.0).priority == 60.0
    edit(first, priority=30.0)
    edit(first, priority=0.0)
    assert order() == [third.pk, first.pk, second.pk]


def test_another_queue_with_its_limits():
    queue("slow", limit=1)
    runs = [trigger(concurrency_key="k") for _ in range(2)]
    for run in runs:
        assert edit(run, queue="slow").queue == "slow"
    assert order() == [runs[0].pk]
    assert Bucket.objects.get(queue__name="slow").concurrency_key == "k"


def test_a_queued_run_is_put_off_and_comes_back(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    run = edit(trigger(ttl=60.0), delay=3600.0)
    assert (run.status, run.delay_until) == (RunStatus.DELAYED, timezone.now() + HOUR)
    assert (run.queued_at, run.expires_at) == (None, None)
    assert order() == []
    time_machine.move_to("2030-01-01T01:00:00Z", tick=False)
    lifecycle.promote_due()
    run.refresh_from_db()
    assert (run.status, run.expires_at - run.queued_at) == (
        RunStatus.QUEUED,
        timedelta(minutes=1),
    )
    assert history(run.pk) == ["triggered", "edited", "queued"]


@pytest.mark.parametrize("delay", [None, 0.0, timezone.now() - HOUR])
def test_a_delayed_run_starts_at_once(delay):
    run = edit(delayed_run(ttl=60.0), delay=delay)
    assert (run.status, run.delay_until) == (RunStatus.QUEUED, None)
    assert run.expires_at is not None
    assert order() == [run.pk]


def test_a_delay_is_moved_and_counts_for_the_order(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    late, soon = delayed_run(delay=60.0), delayed_run(delay=120.0)
    edit(late, delay=timezone.now() + HOUR)
    assert Ready.objects.get(pk=late.pk).not_before == timezone.now() + HOUR
    time_machine.move_to("2030-01-01T01:00:00Z", tick=False)
    lifecycle.promote_due()
    assert order() == [soon.pk, late.pk]


def test_a_delay_that_is_over_costs_no_place(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    delayed = delayed_run(delay=60.0)
    time_machine.move_to("2030-01-01T00:01:00Z", tick=False)
    lifecycle.promote_due()
    later = trigger()
    time_machine.move_to("2030-01-01T00:02:00Z", tick=False)
    edit(delayed, delay=None)
    assert order() == [delayed.pk, later.pk]


def test_a_payload_is_replaced_and_checked():
    task(schema='{"type": "object", "required": ["x"]}')
    run = trigger(payload='{"x": 1}')
    assert edit(run, payload='{"x": 2}').payload == '{"x": 2}'
    for wrong, error in (("{}", InvalidPayload), ("{", InvalidPayload), ("null", InvalidPayload)):
        with pytest.raises(error):
            edit(run, payload=wrong)
    assert Run.objects.get().payload == '{"x": 2}'


def test_a_payload_may_be_too_large(settings):
    settings.TRACKSIDE = settings.TRACKSIDE | {"PAYLOAD_LIMIT": 10}
    with pytest.raises(PayloadTooLarge):
        edit(trigger(), payload=payloads.dumps("x" * 10))


def test_the_key_follows_the_payload_it_was_found_in():
    task(config='{"concurrency_key": "$.shop"}')
    found, given = trigger(payload='{"shop": "a"}'), trigger(concurrency_key="b")
    assert edit(found, payload='{"shop": "c"}').concurrency_key == "c"
    assert edit(given, payload='{"shop": "c"}').concurrency_key == "b"
    assert set(order()) == {found.pk, given.pk}
    assert sorted(Bucket.objects.values_list("concurrency_key", flat=True)) == ["a", "b", "c"]


def test_a_key_that_an_overlap_policy_counts_stays():
    task(config='{"concurrency_key": "$.shop", "overlap": "skip"}')
    run = trigger(payload='{"shop": "a"}')
    with pytest.raises(InvalidOption, match="overlap policy"):
        edit(run, payload='{"shop": "b"}')
    assert edit(run, payload='{"shop": "a", "n": 1}').payload == '{"shop": "a", "n": 1}'


def test_a_held_run_stays_held_and_keeps_its_new_delay():
    task(config='{"overlap": "queue_one"}')
    before, held = trigger(), trigger()
    edit(held, delay=3600.0)
    assert Ready.objects.get(pk=held.pk).not_before == NEVER
    lifecycle.cancel(before.pk, actor="user:ada")
    held.refresh_from_db()
    assert Ready.objects.get(pk=held.pk).not_before == held.delay_until


def test_what_waits_for_its_version_may_change_too():
    queue("mail")
    run = parked_run()
    edited = edit(run, queue="mail", priority=5.0, delay=3600.0, payload="1")
    assert (edited.status, edited.queue, edited.payload) == (RunStatus.PENDING_VERSION, "mail", "1")
    task("unknown")
    lifecycle.unpark(["unknown"])
    run.refresh_from_db()
    assert (run.status, Ready.objects.get(pk=run.pk).not_before) == (
        RunStatus.DELAYED,
        edited.delay_until,
    )


def test_history_and_audit_tell_what_changed_but_no_payload():
    run = trigger()
    lifecycle.edit(
        run.pk, Edit(priority=2.0, payload='"secret"'), actor="user:ada", reason="urgent"
    )
    event = Event.objects.get(run_id=run.pk, kind="edited")
    assert (event.actor, event.reason) == ("user:ada", "urgent")
    assert json.loads(event.data) == {"priority": [0.0, 2.0], "payload": True}
    entry = AuditLog.objects.get()
    assert (entry.action, entry.target, entry.reason) == ("run.edit", run.pk, "urgent")
    assert "secret" not in entry.data + event.data


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({}, InvalidOption, "priority, queue, delay or payload"),
        ({"queue": "nowhere"}, UnknownQueue, "nowhere"),
        ({"priority": 3e9}, InvalidOption, "priority"),
        ({"delay": -1.0}, InvalidOption, "delay"),
        ({"delay": float("nan")}, InvalidOption, "delay"),
    ],
)
def test_what_a_trigger_would_refuse_is_refused(changes, error, said):
    run = trigger()
    with pytest.raises(error, match=said):
        edit(run, **changes)
    assert history(run.pk) == ["triggered"]


def test_only_before_it_starts():
    for run in (executing_run().run, ended_run(), waiting_run()):
        with pytest.raises(IllegalTransition, match="edited"):
            edit(run, priority=1.0)
    one = executing_run()
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    with pytest.raises(IllegalTransition, match=r"QUEUED.*edited: it has been started once\.$"):
        edit(one.run, priority=1.0)
    with pytest.raises(NotFound):
        lifecycle.edit("run_nope", Edit(priority=1.0), actor="user:ada")


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_an_edit_agree():
    """Either the worker gets the new payload, or the edit is refused."""
    for _ in range(4):
        run, by = trigger(payload='"old"'), session()

        def change(run=run):
            try:
                return edit(run, payload='"new"').payload
            except IllegalTransition:
                return '"old"'

        changed, claimed = together([change, lambda by=by: claim(by)])
        assert Run.objects.get(pk=run.pk).payload == changed
        for one in claimed or claim(by):
            lifecycle.cancel(one.run_id, actor="user:ada")
