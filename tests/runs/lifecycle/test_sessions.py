import os
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.models.signals import post_save

from runs import conf
from runs.lifecycle import sessions, store
from runs.models import Lease, Run, SessionState, WorkerSession
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    dequeued_run,
    executing_run,
    session,
    tries,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
AN_HOUR = timedelta(hours=1)


def silent(by):
    """A session that has missed its heartbeats."""
    WorkerSession.objects.filter(pk=by.pk).update(expires_at=by.started_at - AN_HOUR)
    return by


def state(by):
    return WorkerSession.objects.get(pk=by.pk).state


def test_a_session_lives_for_a_lease():
    made = WorkerSession.objects.get(pk=session(slots=3).pk)
    assert (made.state, made.slots, made.pid) == (SessionState.ALIVE, 3, os.getpid())
    lease = (made.expires_at - made.heartbeat_at).total_seconds()
    # the server reads its clock for each of the two
    assert lease == pytest.approx(conf.get("LEASE_SECONDS"), abs=1)


def test_a_session_has_its_lease_from_its_first_moment():
    """Another cluster may look for lost ones as soon as the row is there."""

    def look(**_):
        assert sessions.reap() == 0

    post_save.connect(look, sender=WorkerSession)
    try:
        assert state(session()) == SessionState.ALIVE
    finally:
        post_save.disconnect(look, sender=WorkerSession)


def test_a_late_heartbeat_is_in_time():
    by = silent(session())
    assert sessions.renew(by.pk, workers="[1]")
    assert sessions.reap() == 0
    made = WorkerSession.objects.get(pk=by.pk)
    assert (made.state, made.workers) == (SessionState.ALIVE, "[1]")


def test_a_reaped_session_stays_dead():
    by = silent(session())
    sessions.reap()
    assert not sessions.renew(by.pk)
    assert state(by) == SessionState.DEAD
    with pytest.raises(store.SessionLost):
        claim(by)


def test_what_a_lost_session_executed_is_queued_again():
    one = executing_run(by := session())
    silent(by)
    assert sessions.reap() == 1
    run = one.run
    assert (run.status, run.crash_count, run.uncounted_attempts) == (RunStatus.QUEUED, 1, 1)
    assert "TASK_RUN_STALLED_EXECUTING" in str(run.error)
    assert tries(run.pk) == [(1, "CRASHED")]
    assert claim(session())[0].attempt == 2


def test_what_it_had_not_started_is_queued_as_it_was():
    one = dequeued_run(by := session())
    silent(by)
    assert sessions.reap() == 1
    assert (one.run.status, one.run.crash_count) == (RunStatus.QUEUED, 0)
    assert claim(session())[0].attempt == 1


def test_a_run_that_loses_every_cluster_is_stopped():
    run = trigger()
    for _ in range(conf.get("CRASH_LIMIT")):
        by = session()
        one = claim(by)[0]
        store.current().start(*one.lease, 1)
        silent(by)
        sessions.reap()
    run.refresh_from_db()
    assert (run.status, run.crash_count) == (RunStatus.CRASHED, conf.get("CRASH_LIMIT"))


def test_living_sessions_are_left_alone():
    one = executing_run()
    assert sessions.reap() == 0
    assert one.run.status == RunStatus.EXECUTING


def test_a_patient_reaper_leaves_silent_sessions():
    executing_run(by := session())
    silent(by)
    assert sessions.reap(expired=False) == 0


def ended_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_dead_process_on_this_host_is_not_waited_for():
    executing_run(by := session(pid=ended_process()))
    assert sessions.reap(expired=False) == 1
    assert state(by) == SessionState.DEAD


def test_a_process_of_another_namespace_is_waited_for():
    by = session(pid=ended_process())
    boot = by.boot_id.partition(":")[0]
    WorkerSession.objects.update(boot_id=f"{boot}:1")
    assert (sessions.reap(expired=False), state(by)) == (0, SessionState.ALIVE)


def test_another_boot_has_ended_only_where_there_is_one_machine():
    by = session()
    WorkerSession.objects.update(boot_id="another:1")
    sessions.reap(expired=False)
    alone = connection.vendor == "sqlite"
    assert state(by) == (SessionState.DEAD if alone else SessionState.ALIVE)


def test_a_session_that_stops_hands_its_runs_back():
    by = session()
    started, waiting = executing_run(by), dequeued_run(by)
    assert sessions.close(by.pk) == 2
    assert state(by) == SessionState.GONE
    assert not Lease.objects.exists()
    assert (started.run.uncounted_attempts, waiting.run.uncounted_attempts) == (1, 0)
    assert started.run.crash_count == 0


def test_a_dead_session_stays_dead_when_it_closes():
    by = silent(session())
    sessions.reap()
    sessions.close(by.pk)
    assert state(by) == SessionState.DEAD


def test_what_a_stopped_session_left_is_handed_back_and_no_crash():
    one = executing_run(by := session())
    WorkerSession.objects.update(state=SessionState.GONE)
    assert sessions.reap() == 1
    assert (one.run.crash_count, tries(one.run_id)) == (0, [(1, "RELEASED")])
    assert by.pk == one.session_id


@pytest.mark.django_db(transaction=True)
def test_of_many_reapers_one_takes_a_run_back():
    runs = [executing_run(by := session()) for _ in range(3)]
    WorkerSession.objects.update(expires_at=by.started_at - AN_HOUR)
    assert sum(together([sessions.reap] * 4)) + sessions.reap() == 3
    assert set(Run.objects.values_list("crash_count", flat=True)) == {1}
    assert len(runs) == 3


@pytest.mark.django_db(transaction=True)
def test_a_renewal_and_a_reaper_agree():
    for _ in range(10):
        by = silent(session())
        renewed, _ = together([partial(sessions.renew, by.pk), sessions.reap])
        assert renewed == (state(by) == SessionState.ALIVE)


def test_the_server_s_age_is_known_where_there_is_one():
    age = sessions.database_age()
    assert (age is None) == (connection.vendor == "sqlite")
