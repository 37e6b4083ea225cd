"""Killed and stopped processes of a cluster (A rows of the fault catalogue)."""

import signal
import time

import pytest
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from runs.models import Lease, SessionState, Task, WorkerSession
from runs.states import RunStatus
from tests.support.postgres import free_port
from tests.support.site import is_gone, kill, pause
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
KILL, CONT = signal.SIGKILL, signal.SIGCONT


def test_a_killed_busy_worker_costs_one_attempt(calm, cluster):
    run_id, until = calm.hold()
    kill(calm.entered(run_id)[0]["pid"], KILL)
    until.touch()
    run = calm.completed(run_id)
    assert (run.attempt_number, run.crash_count) == (2, 1)


def test_a_long_body_among_short_ones_delays_and_costs_nobody_else(calm, cluster):
    """Its worker took others with it; they are executed elsewhere, and not again when it is killed."""
    gate, opened = calm.home / "gate", calm.home / "opened"
    opened.touch()
    payloads = [{"until": str(opened)}] * 80
    payloads[40] = {"until": str(gate)}
    ids = calm.trigger_many("hold", payloads)
    long = ids.pop(40)
    for run_id in ids:
        calm.completed(run_id)
    eventually(lambda: calm.run(long).status == RunStatus.EXECUTING)
    kill(calm.entered(long)[0]["pid"], KILL)
    gate.touch()
    assert calm.completed(long).attempt_number == 2
    entered = [note["run"] for note in calm.notes() if note["what"] == "enter"]
    assert [entered.count(run_id) for run_id in ids] == [1] * len(ids)


def test_killed_idle_workers_do_not_wedge_the_cluster(calm, cluster):
    for _ in range(2):
        for pid in cluster.named("worker"):
            kill(pid, KILL)
        calm.completed(calm.trigger("work"))


@pytest.mark.once
def test_a_stopped_worker_is_killed_when_its_time_is_over(calm, cluster):
    run_id, _ = calm.hold(max_duration=1)
    worker = calm.entered(run_id)[0]["pid"]
    pause(worker)
    assert calm.ended(run_id).status == RunStatus.TIMED_OUT
    eventually(lambda: is_gone(worker))


@pytest.mark.parametrize("name", ["dispatcher", "bookkeeper"])
def test_a_killed_helper_is_replaced(calm, cluster, name):
    run_id, until = calm.hold()
    helper = cluster.only(name)
    kill(helper, KILL)
    calm.completed(calm.trigger("work"))
    eventually(lambda: [pid for pid in cluster.named(name) if pid != helper])
    until.touch()
    assert calm.completed(run_id).attempt_number == 1


def test_a_death_nobody_wrote_down_is_found(calm, cluster):
    """The bookkeeper dies while it waits to write a death; its successor misses the run."""
    run_id, until = calm.hold()
    helper, worker = cluster.only("bookkeeper"), calm.entered(run_id)[0]["pid"]
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=run_id)
        kill(worker, KILL)
        eventually(lambda: is_gone(worker))
        time.sleep(0.5)  # until the bookkeeper has been told; if not, the test is easier to pass
        kill(helper, KILL)
        eventually(lambda: is_gone(helper))
    until.touch()
    assert calm.completed(run_id).attempt_number == 2


def test_a_dispatcher_killed_between_claim_and_hand_over(calm, cluster):
    """Everything that was claimed is executed, whatever the dispatcher had told of it."""
    for _ in range(3):
        calm.trigger_many("work", [{"seconds": 0.01}] * 40)
        kill(cluster.only("dispatcher"), KILL)


def test_what_a_dead_dispatcher_promised_goes_to_other_workers(calm, cluster):
    eventually(lambda: calm.is_ready(cluster, 2))
    pause(*cluster.named("worker"))
    ids = calm.trigger_many("work", [{}] * 2)
    eventually(lambda: {slot["run_id"] for slot in calm.slots(cluster)} >= {*ids})
    kill(cluster.only("dispatcher"), KILL)
    for run_id in ids:
        assert calm.completed(run_id).attempt_number == 1


def test_a_killed_supervisor_takes_its_workers_along(site):
    cluster = site.cluster()
    run_id, until = site.hold()
    tree = cluster.tree
    kill(cluster.sentinel, KILL)
    assert cluster.ended() == 1
    eventually(lambda: all(map(is_gone, tree)))
    until.touch()
    site.cluster()
    run = site.completed(run_id)
    assert (run.attempt_number, run.uncounted_attempts) == (2, 1)


@pytest.mark.parametrize("order", [1, pytest.param(-1, marks=pytest.mark.once)])
def test_a_killed_tree_is_taken_over_by_its_successor(site, order):
    cluster = site.cluster()
    run_id, until = site.hold()
    for pid in cluster.tree[::order]:
        kill(pid, KILL)
    cluster.ended()
    until.touch()
    site.cluster()
    assert site.completed(run_id).attempt_number == 2


def test_a_cluster_that_paused_too_long_is_fenced(site):
    """Stopped for two leases, its run goes on elsewhere; awake again it begins anew."""
    cluster = site.cluster()
    run_id, until = site.hold()
    first = site.session(cluster)
    cluster.pause()
    site.cluster()
    eventually(lambda: len(site.entered(run_id)) == 2)
    assert WorkerSession.objects.get(pk=first.pk).state == SessionState.DEAD
    sleeper = site.entered(run_id)[0]["pid"]
    cluster.send(CONT)
    eventually(lambda: is_gone(sleeper))
    eventually(lambda: (found := site.session(cluster)) and found.pk != first.pk)
    until.touch()
    assert site.completed(run_id).attempt_number == 2
    site.clusters[1].stop()
    site.completed(site.trigger("work"))


def test_a_short_pause_costs_nothing(site):
    cluster = site.cluster(TRACKSIDE_LEASE_SECONDS="6")
    site.cluster(TRACKSIDE_LEASE_SECONDS="6")
    run_id, until = site.hold()
    owner = cluster if site.entered(run_id)[0]["pid"] in cluster.tree else site.clusters[1]
    session = site.session(owner)
    beat = session.heartbeat_at
    owner.pause()
    # longer than a heartbeat, while the other cluster keeps sweeping
    other = next(c for c in site.clusters if c is not owner)
    eventually(lambda: (site.session(other).heartbeat_at - beat).total_seconds() >= 3)
    owner.send(CONT)
    eventually(lambda: site.session(owner).heartbeat_at > beat)
    assert site.session(owner).pk == session.pk
    until.touch()
    assert site.completed(run_id).attempt_number == 1


def test_a_signal_to_the_whole_group_drains(site):
    """Ctrl-C in a terminal reaches every process at once."""
    cluster = site.cluster(TRACKSIDE_DRAIN_SECONDS="30")
    run_id, until = site.hold()
    cluster.send(signal.SIGINT)
    eventually(lambda: len(cluster.named("worker")) == 1)
    until.touch()
    assert cluster.ended() == 0
    assert site.completed(run_id).attempt_number == 1


def test_a_stop_with_stopped_workers_ends_all_the_same(site):
    cluster = site.cluster()
    run_id, until = site.hold()
    pause(site.entered(run_id)[0]["pid"])
    cluster.process.terminate()
    assert cluster.ended() == 0
    assert site.run(run_id).status == RunStatus.QUEUED
    until.touch()
    site.cluster()


def refusal(instance, *words):
    """What a command says when it does not start: one line, no traceback."""
    done = instance.manage(*words)
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert (done.returncode, len(lines)) == (1, 1), lines
    return lines[0]


@pytest.mark.once
def test_a_database_without_tables_is_refused_in_one_sentence(new_instance):
    said = refusal(new_instance, "qcluster")
    assert said == "The database is not up to date. Run this first: python manage.py migrate"


@pytest.mark.once
@pytest.mark.parametrize("word", ["qcluster", "up"])
def test_a_database_from_the_future_is_refused_in_one_sentence(site, word):
    MigrationRecorder(connection).record_applied("runs", "9999_from_the_future")
    site.instance.environment["PORT"] = str(free_port())
    assert "newer than this code" in refusal(site.instance, word)


@pytest.mark.once
def test_an_unreachable_database_is_refused_in_one_sentence(new_instance):
    new_instance.environment["DATABASE_URL"] = "postgres://u@127.0.0.1:1/n"
    assert refusal(new_instance, "qcluster").startswith("Cannot reach the database: ")


ENDS = {
    "os._exit(1)": "exit code 1",
    "ctypes.string_at(0)": "signal SIGSEGV",
    # as the kernel does where memory runs out
    "os.kill(os.getpid(), 9)": "signal SIGKILL",
}
BAD = """
import ctypes, os
from engine import task
{ends}

@task(id="bad")
def body(payload):
    return 2
"""


@pytest.mark.once
@pytest.mark.parametrize("ends", ENDS)
def test_a_file_whose_import_ends_the_process_is_left_out(site, ends):
    tasks = site.home / "tasks"
    tasks.mkdir()
    (tasks / "good.py").write_text(GOOD)
    bad = tasks / "zz_bad.py"
    bad.write_text(BAD.format(ends=ends))
    cluster = site.cluster(tasks=tasks)
    site.completed(site.trigger("good"))
    task = Task.objects.get(pk="bad")
    assert task.broken
    assert f"Importing {bad} ended the process ({ENDS[ends]})" in task.error
    run_id = site.trigger("bad")
    assert site.run(run_id).status == RunStatus.PENDING_VERSION
    bad.write_text(BAD.format(ends=""))
    kill(cluster.named("worker")[0], KILL)
    site.completed(run_id)


@pytest.mark.once
def test_the_tasks_command_survives_such_a_file(site):
    tasks = site.home / "tasks"
    tasks.mkdir()
    (tasks / "good.py").write_text(GOOD)
    for name in ("aa_bad.py", "zz_bad.py"):
        (tasks / name).write_text(BAD.format(ends="os._exit(1)"))
    done = site.instance.manage("tasks", TRACKSIDE_TASK_DIRS=str(tasks))
    assert (done.returncode, done.stdout) == (0, f"good  {tasks / 'good.py'}\n")
    warnings = done.stderr.splitlines()
    assert len(warnings) == 2
    for name, line in zip(("aa_bad.py", "zz_bad.py"), warnings, strict=True):
        assert f"Importing {tasks / name} ended the process (exit code 1)" in line


GOOD = """
from engine import task

@task(id="good")
def body(payload):
    return 1
"""
