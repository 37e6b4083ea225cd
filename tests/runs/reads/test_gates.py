import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import attempts, sessions, store
from runs.machines import Capacity
from runs.models import Source
from runs.reads.gates import ahead, gates
from tests.support.rows import (
    completed_run,
    executing_run,
    make_queue,
    make_session,
    queued_run,
)

pytestmark = pytest.mark.django_db


def shut(run):
    return [gate.name for gate in gates(run, timezone.now()) if not gate.open]


def test_nothing_stands_before_a_run_with_a_free_worker():
    make_session()
    assert shut(queued_run()) == []


def test_a_run_that_runs_or_ended_has_no_gates():
    assert gates(executing_run()[0], timezone.now()) == []
    assert gates(completed_run(), timezone.now()) == []


def test_names_every_shut_gate():
    make_queue("slow", concurrency_limit=1, total_limit=1)
    executing_run(queue="slow")
    lifecycle.pause("slow", actor="user:ada", reason="disk")
    assert shut(queued_run(queue="slow", delay=60.0)) == ["delay", "queue", "limit", "total"]


def test_a_key_has_a_limit_of_its_own():
    make_queue("slow", concurrency_limit=1)
    executing_run(queue="slow", concurrency_key="a")
    assert shut(queued_run(queue="slow", concurrency_key="b")) == []


def test_a_rate_says_when_the_next_may_start():
    make_queue("slow", rate_limit="10/1h")
    executing_run(queue="slow", concurrency_key="a")
    run = queued_run(queue="slow", concurrency_key="a")
    rate = next(gate for gate in gates(run, timezone.now()) if gate.name == "rate")
    assert rate.sentence == "Queue slow lets 10 per hour start of key “a”; the next one about"
    assert 350 < (rate.until - timezone.now()).total_seconds() <= 360
    assert shut(queued_run(queue="slow", concurrency_key="b")) == []


def test_names_a_missing_worker_and_an_unknown_task():
    made = lifecycle.trigger("unknown", source=Source.SDK)
    run = type(queued_run()).objects.get(pk=made.run_id)
    assert shut(run) == ["version", "workers"]


def test_counts_who_is_served_first():
    queued_run()
    assert str(ahead(queued_run())) == "1"
    assert ahead(queued_run(delay=60.0)) is None


def machine_of(run):
    return [gate for gate in gates(run, timezone.now()) if gate.name == "machine"]


def cluster(*has, tight=False):
    facts = {"slots": 2, "version": "v1", "pid": 4711}
    return sessions.open_session("red", **facts, capacity=Capacity(*has, tight))


def test_a_machine_no_cluster_has():
    cluster(8.0, 2.0)
    cluster(4.0, 4.0)
    (gate,) = machine_of(queued_run(machine="large-2x"))
    wanted = "Machine large-2x needs 8 vCPU and 16 GB; the largest cluster has 4 vCPU and 4 GB."
    assert (gate.open, gate.sentence) == (False, wanted)
    assert machine_of(queued_run()) == []


def test_a_machine_there_is_no_room_for_now():
    by = cluster(None, 5.0)
    queued_run(machine="medium-2x")
    claims = store.current().claim(by.pk, 1)
    run = queued_run(machine="medium-1x")
    (gate,) = machine_of(run)
    wanted = "Machine medium-1x needs 1 vCPU and 2 GB; cluster red has 1 GB left now."
    assert (gate.open, gate.sentence) == (False, wanted)
    store.current().finish(attempts.complete(*claims[0][:2], None))
    assert [gate.open for gate in machine_of(run)] == [True]


def test_a_tight_cluster_may_have_no_room_for_any_run():
    by = cluster(None, 0.5, tight=True)
    queued_run()
    store.current().claim(by.pk, 1)
    assert [gate.open for gate in machine_of(queued_run())] == [False]
