import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import fleet, sessions, store
from runs.machines import Capacity
from runs.models import AuditLog, SessionState, WorkerSession
from tests.support.rows import executing_run, make_session, queued_run

pytestmark = pytest.mark.django_db


def test_says_how_to_start_one(viewer):
    assert b"manage.py qcluster" in viewer.get("/workers").content


def test_shows_what_each_worker_does(viewer):
    run, _ = executing_run()
    slots = [{"slot": 1, "pid": 4712, "state": "busy", "run_id": run.id, "since": ""}]
    WorkerSession.objects.update(workers=json.dumps(slots))
    page = viewer.get("/workers").content.decode()
    assert f'href="/runs/{run.id}"' in page
    assert "1 of 100" in page


def test_shows_who_shares_a_process(viewer):
    run, _ = executing_run()
    runs = [run.id] * 12
    host = {"slot": 2, "pid": 4713, "state": "OPEN", "run_id": None, "seats": 100, "runs": runs}
    WorkerSession.objects.update(workers=json.dumps([host]))
    page = viewer.get("/workers").content.decode()
    assert "12 of 100 async" in page
    assert page.count(f'href="/runs/{run.id}"') == 10
    assert "share process 4713" in page


@pytest.mark.parametrize(
    ("state", "silence", "word"),
    [
        (SessionState.ALIVE, 0, "Alive"), (SessionState.ALIVE, 50, "Silent"),
        (SessionState.DEAD, 500, "Lost"), (SessionState.GONE, 500, "Stopped"),
    ],
)  # fmt: skip
def test_marks_the_silent_and_the_lost(viewer, state, silence, word):
    session = make_session()
    beat = timezone.now() - timedelta(seconds=silence)
    WorkerSession.objects.filter(pk=session.pk).update(state=state, heartbeat_at=beat)
    assert word in viewer.get("/workers").content.decode()


def test_an_unchanged_table_is_not_sent_again(viewer):
    make_session()
    token = viewer.get("/workers").context["token"]
    assert viewer.get("/workers", {"v": token}, headers={"HX-Request": "true"}).status_code == 204


def test_lists_the_versions_that_are_run(viewer):
    page = viewer.get("/workers").content.decode()
    assert "Versions of the task code" not in page
    sessions.open_session("trackside", slots=2, version="v1", pid=1)
    newer = sessions.open_session("trackside", slots=3, version="v2", pid=2)
    fleet.register(newer.pk, "v2", ["hello", "report"])
    executing_run()
    found = viewer.get("/workers").context["versions"]
    assert [(one.name, one.clusters, one.slots, one.tasks) for one in found] == [
        ("v2", 1, 3, 2),
        ("v1", 2, 102, 0),
    ]
    assert sum(one.executing for one in found) == 1
    sessions.drain(newer.pk)
    text = viewer.get("/workers").content.decode()
    assert text.index("<code>v1</code>") < text.rindex("<code>v2</code>")
    assert "Stopping" in text


def test_shows_what_a_cluster_has_and_what_of_it_is_in_use(viewer):
    has = Capacity(8.0, 4.0)
    by = sessions.open_session("red", slots=2, version="v1", pid=1, capacity=has)
    queued_run(machine="medium-1x")
    store.current().claim(by.pk, 1)
    assert "1 of 8 vCPU, 2 of 4 GB" in viewer.get("/workers").content.decode()


def test_drains_resumes_and_stops_a_cluster(administrator):
    session = make_session()
    asked = {"session": session.pk, "reason": "new disk"}
    page = administrator.post("/workers", asked | {"action": "drain"}, follow=True).text
    assert "takes nothing more" in page
    assert "Drained" in page
    assert "Take runs again" in page
    page = administrator.post("/workers", asked | {"action": "resume"}, follow=True).text
    assert "takes runs again" in page
    page = administrator.post("/workers", asked | {"action": "stop"}, follow=True).text
    assert "stops once its runs have ended" in page
    assert AuditLog.objects.filter(actor="user:ada", action="worker.stop").exists()
    page = administrator.post("/workers", asked | {"action": "drain"}, follow=True).text
    assert "stopping already" in page


def test_only_administrators_tell_clusters(operator):
    session = make_session()
    assert operator.post("/workers", {"session": session.pk, "action": "stop"}).status_code == 403
    assert "Stop this cluster" not in operator.get("/workers").text


@pytest.mark.parametrize(
    "fields", [{}, {"action": "x"}, {"session": "worker_none", "action": "stop"}]
)
def test_orders_that_make_no_sense(administrator, fields):
    made = {"session": make_session().pk} | fields
    assert administrator.post("/workers", made).status_code in (303, 404)


def test_shows_the_memory_of_workers(viewer):
    make_session()
    slots = [{"slot": 0, "pid": 1, "state": "FREE", "run_id": None, "memory": 52_000_000}]
    WorkerSession.objects.update(workers=json.dumps(slots))
    assert "52.0 MB" in viewer.get("/workers").text
