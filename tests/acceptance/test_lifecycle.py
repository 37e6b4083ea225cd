"""What a run lives through on a real cluster, without any fault."""

import signal
from itertools import pairwise

import pytest

from runs import lifecycle
from runs.models import Attempt, Event, LogLine, Run, Task
from runs.states import RunStatus
from tests.support import invariants
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
ME = "user:test"
#: Bodies that do not stop when asked; what differs between these is no business of the database.
DEAF = [pytest.param("deaf", marks=pytest.mark.once), pytest.param("in-c", marks=pytest.mark.once)]


def test_a_run_completes_with_its_output(calm):
    assert calm.completed(calm.trigger("work", {"seconds": 0})).output == '{"seconds":0}'


def test_lines_and_notes_are_there_while_the_body_runs(calm):
    until = calm.home / "talked"
    run_id = calm.trigger("talk", {"until": str(until)})
    lines = LogLine.objects.filter(run_id=run_id)
    eventually(lambda: lines.count() == 2, within=5)
    assert set(lines.values_list("logger", "level", "message")) == {
        ("stdout", 20, "said hello"),
        ("talk", 30, "logged hello"),
    }
    eventually(lambda: calm.run(run_id).metadata == '{"said":"hello"}', within=5)
    run = calm.run(run_id)
    assert (run.status, run.tag_list) == (RunStatus.EXECUTING, ["talked"])
    until.touch()


def test_a_failed_attempt_is_tried_again_after_its_backoff(calm):
    run = calm.completed(calm.trigger("flaky", {"fail": 2}))
    assert (run.output, run.attempt_number) == ("3", 3)
    moments = [note["tick"] for note in calm.entered(run.pk)]
    assert [round(min(later - earlier, 9), 1) >= wait for (earlier, later), wait in
            zip(pairwise(moments), (0.3, 0.6), strict=True)] == [True, True]  # fmt: skip


def test_attempts_run_out(calm):
    run = calm.ended(calm.trigger("flaky", {"fail": 9}, max_attempts=2))
    assert (run.status, run.attempt_number) == (RunStatus.FAILED, 2)


def test_a_delayed_run_starts_no_earlier(calm):
    run = calm.completed(calm.trigger("work", delay=0.6))
    assert run.started_at >= run.delay_until


def test_a_run_that_waits_too_long_expires(calm):
    held = [calm.hold() for _ in range(2)]
    run = calm.ended(calm.trigger("work", ttl=0.5))
    assert (run.status, run.attempt_number) == (RunStatus.EXPIRED, 0)
    for _, until in held:
        until.touch()


def test_a_paused_queue_starts_nothing(calm):
    lifecycle.pause("task/work", actor=ME)
    waiting = calm.trigger("work")
    calm.completed(calm.trigger("pid"))
    assert calm.run(waiting).status == RunStatus.QUEUED
    lifecycle.resume("task/work", actor=ME)
    calm.completed(waiting)


def test_cancel_stops_a_body_that_listens(calm):
    run_id, _ = calm.hold()
    lifecycle.cancel(run_id, actor=ME)
    assert calm.ended(run_id).status == RunStatus.CANCELED
    assert [n["what"] for n in calm.notes() if n["run"] == run_id] == ["enter", "exit"]


@pytest.mark.parametrize("task", ["stubborn", *DEAF])
def test_cancel_kills_a_body_that_does_not(calm, task):
    run_id, _ = calm.hold(task)
    lifecycle.cancel(run_id, actor=ME)
    assert calm.ended(run_id).status == RunStatus.CANCELED


def test_the_history_of_a_canceled_run_says_that_it_was_killed(calm):
    run_id, _ = calm.hold("stubborn")
    lifecycle.cancel(run_id, actor=ME, reason="enough")
    run = calm.ended(run_id)
    assert (run.status, run.reason) == (RunStatus.CANCELED, "enough")
    last = Event.objects.filter(run_id=run_id).latest("id")
    assert (last.kind, "was killed" in last.reason) == ("canceled", True)


def test_cancel_of_a_queued_run_is_final_at_once(calm):
    lifecycle.pause("task/work", actor=ME)
    run_id = calm.trigger("work")
    assert lifecycle.cancel(run_id, actor=ME).status == RunStatus.CANCELED
    lifecycle.resume("task/work", actor=ME)


@pytest.mark.parametrize("task", ["hold", "stubborn", *DEAF])
def test_max_duration_ends_a_body(calm, task):
    run_id, _ = calm.hold(task, max_duration=1)
    run = calm.ended(run_id)
    assert (run.status, run.attempt_number) == (RunStatus.TIMED_OUT, 1)


def test_workers_are_replaced_without_losing_runs(site):
    site.cluster(workers=2, TRACKSIDE_RECYCLE_RUNS="10")
    ids = site.trigger_many("pid", [None] * 60)
    pids = {site.completed(run_id).output for run_id in ids}
    assert len(pids) >= 6
    again = Run.objects.filter(pk__in=ids).exclude(attempt_number=1).values_list("pk", flat=True)
    assert not list(Event.objects.filter(run_id__in=list(again)).values_list("kind", "reason"))


def test_limits_hold_with_two_clusters(site):
    for _ in range(2):
        site.cluster(workers=3)
    for key in "abc":
        site.trigger_many("narrow", [{"seconds": 0.02}] * 12, concurrency_key=key)
    invariants.check(site, {"narrow": 3, "narrow:a": 2, "narrow:b": 2, "narrow:c": 2})


def test_a_broken_file_leaves_the_others_alone(site):
    tasks = site.home / "tasks"
    tasks.mkdir()
    (tasks / "good.py").write_text(SIMPLE.format("good"))
    (tasks / "bad.py").write_text(SIMPLE.format("bad") + "raise RuntimeError('half way')\n")
    site.cluster(tasks=tasks)
    bad = site.trigger("bad")
    site.completed(site.trigger("good"))
    run = site.run(bad)
    assert (run.status, "failed to import" in run.reason) == (RunStatus.PENDING_VERSION, True)
    assert "half way" in Task.objects.get(pk="bad").error
    (tasks / "bad.py").write_text(SIMPLE.format("bad"))
    site.cluster(tasks=tasks)
    site.completed(bad)


SIMPLE = """
from engine import task

@task(id="{0}")
def body(payload):
    return "{0}"
"""


def test_a_draining_cluster_lets_runs_finish_and_starts_none(site):
    cluster = site.cluster(workers=1, TRACKSIDE_DRAIN_SECONDS="30")
    run_id, until = site.hold()
    cluster.process.terminate()
    eventually(lambda: not cluster.named("dispatcher"))
    later = site.trigger("work")
    until.touch()
    assert cluster.ended() == 0
    assert site.run(run_id).status == RunStatus.COMPLETED
    assert site.run(later).status == RunStatus.QUEUED
    site.cluster()


@pytest.mark.parametrize("task", ["hold", "stubborn"])
def test_what_does_not_finish_is_handed_back_uncounted(site, task):
    cluster = site.cluster(workers=1)
    run_id, until = site.hold(task)
    cluster.process.terminate()
    assert cluster.ended() == 0
    run = site.run(run_id)
    assert (run.status, run.attempt_number, run.uncounted_attempts) == (RunStatus.QUEUED, 1, 1)
    until.touch()
    site.cluster()
    site.completed(run_id)
    assert list(Attempt.objects.filter(run_id=run_id).values_list("status", flat=True)) == [
        "RELEASED",
        "COMPLETED",
    ]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.once)]
)
def test_a_second_signal_stops_at_once(site, number):
    cluster = site.cluster(TRACKSIDE_DRAIN_SECONDS="600")
    run_id, until = site.hold("stubborn")
    cluster.process.send_signal(number)
    eventually(lambda: len(cluster.named("worker")) == 1)
    cluster.process.send_signal(number)
    assert cluster.ended() == 0
    assert site.run(run_id).uncounted_attempts == 1
    until.touch()
    site.cluster()
