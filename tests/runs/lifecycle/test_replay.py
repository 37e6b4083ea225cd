from typing import Any

import pytest

from runs import lifecycle
from runs.debounce import Debounce
from runs.errors import InvalidPayload, NotFound
from runs.lifecycle import TriggerOptions, definitions
from runs.models import AuditLog, Event, Queue, Run, Source
from runs.states import RunStatus
from tests.support import factories
from tests.support.factories import ended_run, queue, run_in, task, trigger

pytestmark = pytest.mark.django_db


def replayed(run, **facts):
    return Run.objects.get(pk=lifecycle.replay(run.pk, actor="user:ada", **facts).run_id)


@pytest.mark.parametrize("status", RunStatus)
def test_any_run_can_be_replayed(status):
    run = run_in(status)
    again = replayed(run)
    assert (again.replayed_from_id, again.source, again.actor) == (
        run.pk,
        Source.REPLAY,
        "user:ada",
    )
    assert Run.objects.get(pk=run.pk).status == status


def test_what_it_was_given_is_carried_over():
    queue("mail")
    facts: dict[str, Any] = {
        "queue": "mail",
        "concurrency_key": "k",
        "machine": "micro",
        "is_test": True,
    }
    run = trigger(payload='{"a": 1}', tags=("a",), metadata='{"m": 1}', **facts)
    Run.objects.filter(pk=run.pk).update(metadata='{"m": 2}')
    again = replayed(run)
    assert {name: getattr(again, name) for name in facts} == facts
    assert (again.payload, again.tag_list, again.metadata) == ('{"a": 1}', ["a"], '{"m": 1}')


def test_how_it_was_to_run_is_not():
    parent = trigger()
    run = trigger(
        parent_id=parent.pk, idempotency_key="k", max_attempts=9, ttl=60.0, delay=60.0, priority=5.0
    )
    again = replayed(run)
    assert (again.parent_id, again.root_id, again.depth) == (None, None, 0)
    assert (again.idempotency_key, again.max_attempts, again.ttl) == (None, 3, None)
    assert (again.delay_until, again.priority, again.status) == (None, 0.0, RunStatus.QUEUED)


def test_a_replay_runs_on_the_current_version():
    held = factories.executing_run()
    Run.objects.filter(pk=held.run_id).update(version="old", version_asked=True)
    run = Run.objects.get(pk=held.run_id)
    assert (replayed(run).version, replayed(run).version_asked) == ("", False)
    chosen = replayed(run, options=TriggerOptions(version="v7"))
    assert (chosen.version, chosen.version_asked) == ("v7", True)


def test_of_a_scheduled_or_debounced_or_batched_run_the_link_stays_behind():
    run = trigger(payload='{"timestamp": "2026-01-01T00:00:00Z"}', debounce=Debounce("k", 10.0))
    Run.objects.filter(pk=run.pk).update(schedule_id="sched_1", batch_id="batch_1")
    again = replayed(Run.objects.get(pk=run.pk))
    assert (again.schedule_id, again.batch_id, again.debounce) == (None, None, None)
    assert again.payload == run.payload


def test_a_parent_that_waits_for_the_original_goes_on_waiting():
    child = factories.delayed_run()
    parent = factories.waiting_run(targets=(child.pk,))
    again = replayed(child)
    by = factories.session()
    claimed = {one.run_id: one for one in factories.claim(by, 5)}
    factories.start(claimed[again.pk])
    factories.complete(claimed[again.pk])
    assert Run.objects.get(pk=again.pk).status == RunStatus.COMPLETED
    assert Run.objects.get(pk=parent.pk).status == RunStatus.WAITING
    assert not Run.objects.get(pk=again.pk).awaited


def test_options_win_over_the_original():
    queue("mail")
    run = trigger(tags=("a",), machine="micro")
    again = replayed(run, options=TriggerOptions(tags=(), queue="mail", priority=3.0))
    assert (again.tag_list, again.queue, again.machine, again.priority) == (
        [],
        "mail",
        "micro",
        3.0,
    )


@pytest.mark.parametrize("payload", ['{"b": 2}', None])
def test_the_payload_can_be_edited(payload):
    run = trigger(payload='{"a": 1}')
    assert replayed(run, payload=payload).payload == payload


def test_an_edited_payload_is_checked():
    run = trigger(payload="{}")
    task(schema='{"type": "object"}')
    with pytest.raises(InvalidPayload):
        replayed(run, payload="[]")
    assert Run.objects.count() == 1


def test_without_its_queue_it_goes_to_the_task_s():
    queue("mail")
    run = trigger(queue="mail")
    Queue.objects.filter(name="mail").delete()
    definitions.forget()
    assert replayed(run).queue == "task/send"


def test_both_histories_and_the_audit_tell():
    run = ended_run()
    again = replayed(run)
    event = Event.objects.get(run_id=run.pk, kind="replayed")
    assert (event.actor, again.pk in event.data) == ("user:ada", True)
    assert AuditLog.objects.get().target == run.pk


def test_a_key_that_is_taken_makes_no_second_replay():
    run = trigger()
    options = TriggerOptions(idempotency_key="again")
    assert replayed(run, options=options) == replayed(run, options=options)
    assert Event.objects.filter(run_id=run.pk, kind="replayed").count() == 1


def test_nobody_is_not_found():
    with pytest.raises(NotFound):
        lifecycle.replay("run_nobody", actor="user:ada")
