"""Deploying while runs wait: two clusters with different code, and new code under one cluster."""

import json
import signal

import pytest

from engine import wait
from runs.models import Event, EventKind, Lease, Run, WorkerSession
from runs.states import RunStatus
from tests.support.site import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
CODE = """
import time
from pathlib import Path

from engine import step, task, tasks, wait

CODE = "{code}"


@task(id="long")
def long(payload):
    seen = [step("first", lambda: CODE)]
    wait.for_token(payload["one"])
    seen.append(step("second", lambda: CODE))
    seen.append(tasks.trigger_and_wait("short").unwrap())
    wait.for_token(payload["two"])
    return [*seen, CODE]


@task(id="short")
def short(payload):
    return CODE


@task(id="hold")
def hold(payload):
    Path(payload["begun"]).touch()
    while not Path(payload["until"]).exists():
        time.sleep(0.01)
    return CODE


@task(id="only-{code}")
def only(payload):
    return CODE
"""


def written(home, folder, code):
    directory = home / folder
    directory.mkdir(exist_ok=True)
    (directory / "deploy.py").write_text(CODE.format(code=code))
    return directory


def waiting(site, run_id):
    eventually(lambda: site.run(run_id).status == RunStatus.WAITING)


def outputs(site, ids):
    return [json.loads(site.completed(run_id).output) for run_id in ids]


def test_a_run_that_waits_across_a_deploy_resumes_on_its_code(site):
    one, two = wait.create_token(), wait.create_token()
    old = site.cluster(1, written(site.home, "old", "old"), TRACKSIDE_VERSION="1")
    run_id = site.trigger("long", {"one": one.id, "two": two.id})
    waiting(site, run_id)
    new = site.cluster(1, written(site.home, "new", "new"), TRACKSIDE_VERSION="2")
    assert outputs(site, site.trigger_many("only-new", [None] * 10)) == ["new"] * 10
    assert outputs(site, site.trigger_many("only-old", [None] * 10)) == ["old"] * 10
    wait.complete_token(one)
    eventually(lambda: site.run(run_id).reason.endswith(f"{two.id}.") or site.run(run_id).is_final)
    asked = site.trigger("short", version="2")
    assert outputs(site, [asked]) == ["new"]
    old.stop()
    wait.complete_token(two)
    assert outputs(site, [run_id]) == [["old", "old", "old", "new"]]
    assert site.run(run_id).version == "2"
    told = Event.objects.get(kind=EventKind.MOVED)
    assert (told.run_id, told.reason) == (run_id, "Version 1 is gone; it goes on with 2.")
    assert not Event.objects.filter(kind=EventKind.RELEASED).exists()
    site.accepted += list(Run.objects.filter(parent_id=run_id).values_list("pk", flat=True))
    new.stop()


def test_new_code_under_a_cluster_replaces_its_workers(site):
    folder = written(site.home, "tasks", "old")
    cluster = site.cluster(3, folder)
    before = WorkerSession.objects.get().version
    tokens = wait.create_token(), wait.create_token()
    run_id = site.trigger("long", {"one": tokens[0].id, "two": tokens[1].id})
    waiting(site, run_id)
    begun, until = site.home / "begun", site.home / "until"
    held = site.trigger("hold", {"begun": str(begun), "until": str(until)})
    eventually(begun.exists)
    written(site.home, "tasks", "new")
    busy = eventually(lambda: Lease.objects.get(pk=held).pid)
    killed, idle = set(cluster.named("worker")) - {busy}
    kill(killed, signal.SIGKILL)
    eventually(lambda: WorkerSession.objects.get().version != before)
    eventually(lambda: idle not in cluster.named("worker"))
    assert outputs(site, [site.trigger("short")]) == ["new"]
    until.touch()
    assert outputs(site, [held]) == ["old"]
    assert site.run(held).version == before
    for token in tokens:
        wait.complete_token(token)
    assert outputs(site, [run_id]) == [["old", "new", "new", "new"]]
    assert Event.objects.filter(run_id=run_id, kind=EventKind.MOVED).count() == 1
    assert outputs(site, site.trigger_many("short", [None] * 20)) == ["new"] * 20
    assert cluster.process.poll() is None
