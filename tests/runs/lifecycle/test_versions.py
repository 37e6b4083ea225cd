"""Runs stay on the version of their first start, on both databases (DEC-31)."""

import time

import pytest
from django.db import connection
from django.utils import timezone

from runs import conf, lifecycle
from runs.errors import IllegalTransition, NotFound
from runs.lifecycle import attempts, fleet, sessions, versions
from runs.lifecycle.store import Done, Next
from runs.models import AuditLog, Event, EventKind, Ready, Run, SessionState, WorkerSession
from runs.reads import gates
from runs.states import RunStatus
from tests.support.factories import (
    ERROR,
    claim,
    executing_run,
    finish,
    history,
    opened,
    queue,
    queued_run,
    session,
    start,
    suspend,
    task,
    trigger,
)

pytestmark = pytest.mark.django_db
S = RunStatus


@pytest.fixture
def old():
    return session(version="old", tasks=["send"])


@pytest.fixture
def new(old):
    return session(version="new", tasks=["send"])


@pytest.fixture
def strict(settings):
    settings.TRACKSIDE = {"STRICT_VERSIONS": True}
    conf.forget()


def claimed(by, slots=1):
    """What a dispatcher gets: it claims, promotes what is due, and claims again."""
    found = claim(by, slots)
    lifecycle.promote_due()
    return found + claim(by, slots - len(found))


def started(by, **options):
    """A run whose first attempt executes on this cluster."""
    run = trigger(**options)
    (one,) = claimed(by)
    assert one.run_id == run.pk
    start(one, version=by.version)
    return one


def retried(by, **options):
    """A run locked to a cluster's version, claimable again."""
    one = started(by, **options)
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    return one.run


def retried_all(by, count):
    """Several of them, in the order of their places."""
    runs = [trigger() for _ in range(count)]
    for one in claim(by, count):
        start(one, version=by.version)
        finish(attempts.retry(*one.lease, ERROR, 0.0))
    return runs


def moved(run_id):
    found = Event.objects.filter(run_id=run_id, kind=EventKind.MOVED)
    return list(found.values_list("reason", flat=True))


# -- locking --------------------------------------------------------------------------------------


def test_the_first_start_locks_a_run(old):
    run = queued_run()
    (one,) = claim(old)
    assert one.run.version == ""
    assert start(one, version="old").version == "old"
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    assert Run.objects.get(pk=run.pk).version == "old"


def test_a_run_that_is_handed_back_unstarted_is_not_locked(old, new):
    queued_run()
    (one,) = claim(old)
    finish(attempts.release(*one.lease, "The cluster stops.", started=False))
    (again,) = claim(new)
    assert start(again, version="new").version == "new"


def test_a_run_taken_with_the_end_of_another_is_locked(old):
    one = started(old)
    other = trigger()
    taken = finish(attempts.complete(*one.lease, None), Next.SAME, version="old").next
    assert (taken.run_id, taken.version) == (other.pk, "old")


def test_runs_that_are_recorded_together_are_locked(old):
    one, other = started(old), trigger()
    now = time.monotonic_ns()
    done = [Done(*one.lease, None, now, now)]
    (taken,) = opened("old").turn(done, Next.SAME, 16, 1).works
    assert taken.run_id == other.pk
    opened("old").turn([Done(other.pk, taken.token, None, now, now)], Next.NONE, 1, 1)
    assert Run.objects.get(pk=other.pk).version == "old"


def test_a_worker_whose_cluster_has_moved_on_takes_nothing(old):
    one = started(old)
    queued_run()
    fleet.register(old.pk, "newer", ["send"])
    assert finish(attempts.complete(*one.lease, None), Next.ANY, version="old").next is None


# -- claims ---------------------------------------------------------------------------------------


def test_a_retry_waits_for_a_worker_of_its_version(old, new):
    run = retried(old)
    assert claimed(new) == []
    assert claimed(new) == []
    assert Ready.objects.get().pin == "old"
    assert [one.run_id for one in claim(old)] == [run.pk]
    assert history(run.pk).count("retried") == 1
    assert moved(run.pk) == []


def test_so_does_a_wait_that_is_over(old, new):
    one = started(old)
    suspend(one)
    Ready.objects.update(not_before=timezone.now())
    lifecycle.promote_due()
    assert claim(new) == []
    assert [again.run_id for again in claim(old)] == [one.run_id]


def test_nothing_is_pinned_where_all_run_one_version(old):
    session(version="old", tasks=["send"])
    run = retried(old)
    lifecycle.promote_due()
    assert Ready.objects.get(pk=run.pk).pin == ""


def test_a_backlog_of_another_version_is_passed_over_once(old, new):
    waiting = [run.pk for run in retried_all(old, 30)]
    mine, other = trigger(), trigger(queue=queue("mail").name)
    assert {one.run_id for one in claimed(new, 4)} == {mine.pk, other.pk}
    kept = list(Ready.objects.order_by("sort_key").values_list("pk", "pin", "not_before"))
    assert kept == [(run_id, "old", None) for run_id in waiting]
    assert claim(new, 4) == []
    assert list(Ready.objects.order_by("sort_key").values_list("pk", "pin", "not_before")) == kept
    assert [one.run_id for one in claim(old, 4)] == waiting[:4]


def test_the_heads_of_both_take_turns_by_their_places(old, new):
    first, middle, last = [trigger() for _ in range(3)]
    Run.objects.filter(pk=middle.pk).update(version="old")
    assert [one.run_id for one in claimed(new, 1)] == [first.pk]
    early = trigger(priority=60.0)
    assert claimed(new, 1)[0].run_id == early.pk
    late = trigger()
    Ready.objects.filter(pk=middle.pk).update(pin="old", not_before=None)
    assert [one.run_id for one in claim(old, 3)] == [middle.pk, last.pk, late.pk]


def test_both_hold_the_limit(old, new):
    task(queue=queue("one", limit=1).name)
    retried(old)
    trigger()
    assert len(claimed(new)) == 1
    assert claimed(old) == []


@pytest.mark.parametrize("pin", ["", "old"])
def test_the_head_is_found_by_an_index(pin):
    statement = (
        f"SELECT run_id FROM runs_ready WHERE bucket_id = 1 AND lane = 0 AND pin = '{pin}' "
        "AND not_before IS NULL ORDER BY sort_key, run_id LIMIT 1"
    )
    found = plan(statement)
    assert "ready_head" in found or (pin and "ready_pinned" in found)
    assert not any(word in found for word in ("Sort  ", "B-TREE"))


def test_what_is_pinned_is_found_by_an_index():
    sql, params = versions.pinned().query.sql_with_params()
    assert "ready_pinned" in plan(sql, params)


def plan(statement, params=()):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute(f"EXPLAIN {statement}", params)
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", params)
        return str(cursor.fetchall())


# -- a version that is gone -----------------------------------------------------------------------


def lost(one):
    WorkerSession.objects.filter(pk=one.pk).update(state=SessionState.DEAD)
    versions.release_pins()


@pytest.mark.parametrize(
    "end", [lambda one: sessions.close(one.pk), lambda one: sessions.drain(one.pk), lost]
)
def test_what_was_kept_for_it_goes_on_with_the_current_one(old, new, end):
    run = retried(old)
    assert claimed(new) == []
    end(old)
    (one,) = claimed(new)
    assert one.run.version == "new"
    assert moved(run.pk) == ["Version old is gone; it goes on with new."]
    assert start(one, version="new").version == "new"


def test_it_goes_to_the_newest_of_several(old, new):
    run = retried(old)
    newest = session(version="newest", tasks=["send"])
    sessions.close(old.pk)
    assert claimed(new) == []
    assert [one.run_id for one in claim(newest)] == [run.pk]


def test_a_version_whose_cluster_starts_anew_is_waited_for(old, new):
    run = retried(old)
    sessions.close(old.pk)
    again = session(version="old")
    assert claimed(new) == []
    assert moved(run.pk) == []
    fleet.register(again.pk, "old", ["send"])
    assert [one.run_id for one in claim(again)] == [run.pk]


def test_while_nobody_runs_anything_it_waits(old):
    run = retried(old)
    sessions.close(old.pk)
    lifecycle.promote_due()
    assert (Ready.objects.get().pin, Run.objects.get(pk=run.pk).version) == ("", "old")
    assert claimed(session(version="new", tasks=["send"]))[0].run_id == run.pk


def test_many_are_released_in_batches(old, new, monkeypatch):
    runs = {run.pk for run in retried_all(old, 5)}
    assert claimed(new) == []
    monkeypatch.setattr(versions, "BATCH", 2)
    WorkerSession.objects.filter(pk=old.pk).update(state=SessionState.GONE)
    assert versions.release_pins() == 5
    assert {one.run_id for one in claimed(new, 5)} == runs
    assert versions.release_pins() == 0


def test_a_canceled_run_leaves_its_place(old, new):
    run = retried(old)
    assert claimed(new) == []
    lifecycle.cancel(run.pk, actor="user:ada")
    assert not Ready.objects.exists()


# -- strict, and asked for ------------------------------------------------------------------------


def test_strictly_it_waits_for_its_version(strict, old, new):
    run = retried(old, ttl=60.0)
    sessions.close(old.pk)
    assert claimed(new) == []
    run.refresh_from_db()
    assert (run.status, run.version) == (S.PENDING_VERSION, "old")
    assert run.reason == (
        "It is locked to version old, which no cluster runs any more (STRICT_VERSIONS is on)."
    )
    assert lifecycle.unpark(["send"], "new") == 0
    back = session(version="old", tasks=["send"])
    assert lifecycle.unpark(["send"], "old") == 1
    assert claimed(new) == []
    assert claimed(back)[0].attempt == 2


def test_no_longer_strict_it_goes_on(strict, settings, old, new):
    run = retried(old)
    sessions.close(old.pk)
    assert claimed(new) == []
    settings.TRACKSIDE = {}
    assert lifecycle.unpark(["send"], "new") == 1
    assert claimed(new)[0].run_id == run.pk
    assert len(moved(run.pk)) == 1


def test_a_version_that_was_asked_for_is_the_only_one(old, new):
    run = trigger(version="old")
    assert run.version_asked
    assert claimed(new) == []
    assert [one.run_id for one in claim(old)] == [run.pk]


def test_one_nobody_runs_is_waited_for(old):
    run = trigger(version="next", ttl=60.0)
    assert claimed(old) == []
    run.refresh_from_db()
    assert (run.status, run.expires_at) == (S.PENDING_VERSION, None)
    assert run.reason == "It was triggered for version next, which no cluster runs."
    assert lifecycle.unpark(["send"], "old") == 0
    coming = session(version="next", tasks=["send"])
    assert lifecycle.unpark_forgotten() == 1
    assert [one.run_id for one in claimed(coming)] == [run.pk]


def test_asked_for_it_does_not_go_on_with_another(old, new):
    run = trigger(version="old")
    (one,) = claimed(old)
    start(one, version="old")
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    sessions.close(old.pk)
    assert claimed(new) == []
    run.refresh_from_db()
    assert (run.status, moved(run.pk)) == (S.PENDING_VERSION, [])


# -- children -------------------------------------------------------------------------------------


def test_children_that_are_waited_for_join_their_parent(old, new):
    parent = started(old)
    child = trigger(parent_id=parent.run_id, awaited=True)
    other = trigger(parent_id=parent.run_id)
    assert (child.version, child.version_asked, other.version) == ("old", False, "")
    assert [one.run_id for one in claimed(new, 2)] == [other.pk]
    assert [one.run_id for one in claim(old, 2)] == [child.pk]


def test_a_child_goes_on_with_another_version_too(old, new):
    parent = started(old)
    child = trigger(parent_id=parent.run_id, awaited=True)
    sessions.close(old.pk)
    taken = {one.run_id: one for one in claimed(new, 2)}
    assert taken[child.pk].run.version == "new"


# -- tasks that not all have ----------------------------------------------------------------------


def test_a_task_only_the_new_version_has_is_never_taken_by_the_old(old):
    new = session(version="new", tasks=["send", "fresh"])
    run = trigger("fresh")
    assert claimed(old, 4) == []
    assert Ready.objects.get().pin == "new"
    assert [one.run_id for one in claim(new)] == [run.pk]
    assert history(run.pk) == ["triggered", "dequeued"]


def test_a_task_the_new_version_has_no_more_is_never_taken_by_it():
    old = session(version="old", tasks=["send", "gone"])
    new = session(version="new", tasks=["send"])
    run = trigger("gone")
    assert claimed(new) == []
    assert [one.run_id for one in claim(old)] == [run.pk]


def test_once_nobody_has_it_its_runs_wait(old):
    new = session(version="new", tasks=["send", "fresh"])
    run = trigger("fresh")
    assert claimed(old) == []
    sessions.drain(new.pk)
    assert claimed(old) == []
    run.refresh_from_db()
    assert (run.status, run.reason) == (
        S.PENDING_VERSION,
        "No running cluster has the task “fresh”.",
    )


def test_a_locked_run_leaves_a_version_without_its_task(old):
    new = session(version="new", tasks=["fresh"])
    run = trigger("fresh")
    Run.objects.update(version="old")
    assert [one.run_id for one in claimed(new)] == [run.pk]
    assert moved(run.pk) == ["Version old has no task “fresh”; it goes on with new."]


def test_clusters_of_one_version_with_different_tasks_do_not_spin():
    first = session(version="1", tasks=["send"])
    second = session(version="1", tasks=["fresh"])
    run = trigger("fresh")
    assert claimed(first) == []
    lifecycle.promote_due()
    assert claim(first) == []  # for a second
    Ready.objects.update(not_before=timezone.now())
    lifecycle.promote_due()
    assert [one.run_id for one in claim(second)] == [run.pk]


def test_runs_taken_together_leave_out_what_is_not_theirs(old, new):
    task(queue=queue("shared").name)
    one = started(new)
    locked = retried(old)
    mine = trigger()
    now = time.monotonic_ns()
    turn = opened("new").turn([Done(*one.lease, None, now, now)], Next.SAME, 16, 1)
    assert [work.run_id for work in turn.works] == [mine.pk]
    assert Ready.objects.get(pk=locked.pk).not_before is not None
    lifecycle.promote_due()
    assert Ready.objects.get(pk=locked.pk).pin == "old"


# -- the fleet ------------------------------------------------------------------------------------


def test_the_current_version_is_the_one_that_came_last(old, new):
    again = session(version="old", tasks=["send"])
    assert fleet.Fleet.now().able("send") == ["new", "old"]
    assert again.version_at == old.version_at
    for one in (old, again):
        sessions.close(one.pk)
    session(version="old", tasks=["send"])
    assert fleet.Fleet.now().able("send") == ["old", "new"]


def test_a_reload_in_place_makes_its_version_current(old, new):
    fleet.register(old.pk, "newest", ["send"])
    assert fleet.Fleet.now().able("send") == ["newest", "new"]
    assert fleet.newer_than("new") == {"newest"}
    assert fleet.newer_than("unknown") == fleet.newer_than("newest") == set()


def test_clusters_know_what_they_lack(old):
    new = session(version="new", tasks=["b", "a"])
    old.refresh_from_db()
    assert (old.lacking, new.lacking) == ("\na\nb\n", "\nsend\n")
    assert fleet.compare() == 0
    sessions.close(new.pk)
    assert fleet.compare() == 1


def test_what_is_parked_by_a_worker_waits_unless_another_has_it(old, new):
    one = executing_run(by=old)
    finish(attempts.park(*one.lease, "No such task."))
    assert one.run.status == S.QUEUED
    for cluster in (old, new):
        fleet.register(cluster.pk, cluster.version, ["other"])
    lifecycle.promote_due()
    Ready.objects.update(not_before=None)
    (again,) = claim(old)
    start(again)
    finish(attempts.park(*again.lease, "No such task."))
    assert again.run.status == S.PENDING_VERSION


# -- unlocked by hand -----------------------------------------------------------------------------


def test_a_person_lets_a_parked_run_go_on(old, new):
    run = trigger(version="next")
    assert claimed(new) == []
    assert lifecycle.unlock(run.pk, actor="user:ada").status == S.QUEUED
    assert [one.run_id for one in claim(new)] == [run.pk]
    assert moved(run.pk) == ["Unlocked from version next."]
    assert AuditLog.objects.get().action == "run.unlock"


def test_and_one_that_is_kept_for_a_busy_version(old, new):
    run = retried(old)
    assert claimed(new) == []
    lifecycle.unlock(run.pk, actor="user:ada")
    assert [one.run_id for one in claimed(new)] == [run.pk]


def test_only_what_does_not_execute_and_is_locked(old):
    one = started(old)
    for run_id in (one.run_id, trigger().pk):
        with pytest.raises(IllegalTransition):
            lifecycle.unlock(run_id, actor="user:ada")
    with pytest.raises(NotFound):
        lifecycle.unlock("run_none", actor="user:ada")


def test_a_page_says_what_it_waits_for(old, new):
    def sentences(run):
        found = gates.gates(Run.objects.get(pk=run.pk), timezone.now())
        return [(gate.open, gate.sentence) for gate in found if gate.name == "version"]

    plain, asked, absent = trigger(), trigger(version="old"), trigger(version="next")
    assert sentences(plain) == []
    assert sentences(asked) == [
        (True, "It is triggered for version old; 1 of 2 connected clusters runs it.")
    ]
    assert sentences(absent) == [
        (False, "It is triggered for version next, which no cluster runs.")
    ]
    claimed(old, 4)
    assert sentences(absent) == [
        (False, "It was triggered for version next, which no cluster runs.")
    ]


def test_a_claim_lets_go_before_a_whole_backlog_is_sorted_out(old, new):
    runs = [trigger() for _ in range(130)]
    Run.objects.update(version="old")
    other = trigger(queue=queue("mail").name)
    assert [one.run_id for one in claim(new, 2)] == [other.pk]
    assert Ready.objects.filter(not_before__isnull=True).count() < len(runs)
    for _ in range(3):
        assert claimed(new) == []
    assert Ready.objects.filter(pin="old").count() == len(runs)
