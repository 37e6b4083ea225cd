"""Any sequence of verbs keeps what must always hold."""

from collections import Counter
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runs import lifecycle
from runs.lifecycle import attempts, definitions, sessions, store
from runs.lifecycle.store import Next
from runs.models import Bucket, Event, Lease, Queue, Ready, Run, WorkerSession
from runs.states import LEASED, TRANSITIONS, RunStatus
from tests.support.factories import (
    ERROR,
    Held,
    claim,
    finish,
    parked_run,
    queue,
    session,
    start,
    task,
    tries,
    trigger,
)

pytestmark = pytest.mark.django_db
ADA: dict[str, Any] = {"actor": "user:ada"}
PICK = st.integers(0, 99)
NO_MOVE = {"cancel_requested", "replayed"}


class Lives(RuleBasedStateMachine):
    """Two clusters, one queue with three keys, and people who steer it."""

    @initialize()
    def begin(self):
        self.scope = transaction.atomic()
        self.scope.__enter__()
        definitions.forget()
        queue("mail", limit=2, total=4)
        task("send", queue="mail")
        self.by = [session(), session()]
        self.claimed: list[Held] = []
        self.started: list[Held] = []
        self.seen: set[str] = set()
        self.counts: Counter[int] = Counter()

    def teardown(self):
        if hasattr(self, "scope"):
            transaction.set_rollback(True)
            self.scope.__exit__(None, None, None)
        definitions.forget()

    @rule(
        key=st.sampled_from([None, "a", "b"]),
        delay=st.sampled_from([None, None, None, 3600.0]),
        ttl=st.sampled_from([None, 3600.0]),
        tries=st.integers(1, 3),
        known=st.sampled_from([True, True, True, False]),
    )
    def trigger(self, key, delay, ttl, tries, known):
        options = {"concurrency_key": key, "delay": delay, "ttl": ttl, "max_attempts": tries}
        trigger(**options) if known else parked_run(queue="mail", **options)

    @rule(which=PICK, slots=st.integers(1, 4))
    def claim(self, which, slots):
        self.claimed += claim(self.by[which % 2], slots)

    @precondition(lambda self: self.claimed)
    @rule(which=PICK)
    def start(self, which):
        one = self.claimed.pop(which % len(self.claimed))
        if start(one):
            self.started.append(one)

    @precondition(lambda self: self.claimed)
    @rule(which=PICK)
    def hand_back(self, which):
        one = self.claimed.pop(which % len(self.claimed))
        finish(attempts.release(*one.lease, "", started=False))

    @precondition(lambda self: self.started)
    @rule(
        which=PICK,
        how=st.sampled_from(["complete", "fail", "retry", "release", "park", "crash", "time_out"]),
        take=st.sampled_from([Next.SAME, Next.SAME, Next.ANY, Next.NONE]),
    )
    def end(self, which, how, take):
        one = self.started.pop(which % len(self.started))
        endings = {
            "complete": lambda: attempts.complete(*one.lease, "1"),
            "fail": lambda: attempts.fail(*one.lease, ERROR),
            "retry": lambda: attempts.retry(*one.lease, ERROR, 0.0),
            "release": lambda: attempts.release(*one.lease, "stopped"),
            "park": lambda: attempts.park(*one.lease, "no such task"),
            "crash": lambda: attempts.crash(*one.lease, "TASK_RUN_CRASHED", "gone"),
            "time_out": lambda: attempts.time_out(*one.lease, ERROR),
        }
        heir = finish(endings[how](), take).next
        if heir:
            self.started.append(Held(heir.run_id, heir.token, heir.attempt, one.session_id))

    @precondition(lambda self: Run.objects.exists())
    @rule(which=PICK)
    def cancel(self, which):
        ids = list(Run.objects.order_by("id").values_list("id", flat=True))
        lifecycle.cancel(ids[which % len(ids)], **ADA)

    @precondition(lambda self: Run.objects.exists())
    @rule(which=PICK)
    def replay(self, which):
        ids = list(Run.objects.order_by("id").values_list("id", flat=True))
        lifecycle.replay(ids[which % len(ids)], **ADA)

    @rule()
    def an_hour_passes(self):
        for run in Run.objects.filter(expires_at__isnull=False, finished_at=None):
            Run.objects.filter(pk=run.pk).update(expires_at=run.created_at)
        for ready in Ready.objects.filter(not_before__isnull=False):
            moment = Run.objects.get(pk=ready.pk).created_at
            Ready.objects.filter(pk=ready.pk).update(not_before=moment)

    @rule(
        verb=st.sampled_from([lifecycle.expire_due, lifecycle.promote_due, lifecycle.prune_buckets])
    )
    def sweep(self, verb):
        Bucket.objects.update(served=1)
        verb()

    @rule()
    def register(self):
        lifecycle.unpark(["send", "unknown"])

    @rule(limit=st.sampled_from([None, 0, 1, 3]))
    def steer(self, limit):
        if limit is not None:
            lifecycle.override_limit("mail", limit, **ADA)
        elif Queue.objects.get(name="mail").override_limit is not None:
            lifecycle.reset_limit("mail", **ADA)

    @rule()
    def pause_or_resume(self):
        paused = Queue.objects.get(name="mail").paused
        (lifecycle.resume if paused else lifecycle.pause)("mail", **ADA)

    @rule(which=PICK, how=st.sampled_from(["lost", "stopped"]))
    def lose_a_cluster(self, which, how):
        one = self.by[which % 2]
        if how == "stopped":
            sessions.close(one.pk)
        else:
            WorkerSession.objects.filter(pk=one.pk).update(expires_at="2020-01-01T00:00:00Z")
            sessions.reap()
        self.claimed = [held for held in self.claimed if held.session_id != one.pk]
        self.by[which % 2] = session()

    @invariant()
    def a_slot_is_a_lease_and_a_place_is_a_ready_row(self):
        statuses = dict(Run.objects.values_list("id", "status"))
        leased = {pk for pk, status in statuses.items() if status in LEASED}
        placed = {pk for pk, status in statuses.items() if status in ("QUEUED", "DELAYED")}
        assert set(Lease.objects.values_list("run_id", flat=True)) == leased
        ready = dict(Ready.objects.values_list("run_id", "not_before"))
        assert set(ready) == placed
        assert all(ready[pk] for pk in placed if statuses[pk] == RunStatus.DELAYED)

    @invariant()
    def limits_hold_for_what_starts(self):
        mail, leases = Queue.objects.get(name="mail"), Lease.objects.all()
        mine = {lease.token: lease.bucket_id for lease in leases if lease.queue_id == mail.pk}
        counts = Counter(mine.values())
        for bucket, count in counts.items():
            assert count <= max(mail.limit or 0, self.counts[bucket])
        assert sum(counts.values()) <= max(mail.total_limit or 0, sum(self.counts.values()))
        assert not mail.paused or set(mine) <= self.seen
        for full in Bucket.objects.filter(queue=mail, full=True):
            assert counts[full.pk] >= (mail.limit or 0)
        assert not mail.full or sum(counts.values()) >= (mail.total_limit or 0)
        self.seen, self.counts = set(mine), counts

    @invariant()
    def attempts_are_numbered_without_a_gap(self):
        for run in Run.objects.light():
            rows = tries(run.pk)
            assert [number for number, _ in rows] == list(range(1, run.attempt_number + 1))
            executing = [number for number, status in rows if status == "EXECUTING"]
            wanted = [run.attempt_number] if run.status == RunStatus.EXECUTING else []
            assert executing == wanted
            assert 0 <= run.uncounted_attempts <= run.attempt_number

    @invariant()
    def every_move_is_legal_and_told(self):
        told: dict[str, str] = {}
        for pk, kind, status in Event.objects.order_by("id").values_list(
            "run_id", "kind", "status"
        ):
            if kind in NO_MOVE:
                assert told[pk] == status
            elif pk in told:
                assert status in TRANSITIONS[RunStatus(told[pk])], (kind, told[pk], status)
            told[pk] = status
        assert told == dict(Run.objects.values_list("id", "status"))


@pytest.mark.timeout(300)  # twenty long examples; 10 s where nothing else runs
def test_any_sequence_of_verbs_keeps_what_must_hold():
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_machine_reaches_a_worker():
    """The rules above are worth something only if runs really get through."""
    task("send")
    run, by = trigger(), session()
    one = claim(by)[0]
    assert start(one)
    assert store.current().finish(attempts.complete(*one.lease, "1")).won
    run.refresh_from_db()
    assert run.status == RunStatus.COMPLETED
