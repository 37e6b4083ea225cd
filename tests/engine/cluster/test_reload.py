"""What a worker does when the cluster goes over to other code."""

import pytest

from engine import task
from engine.cluster import reload, together, worker
from engine.cluster.board import State
from engine.discovery import Catalog
from engine.registry import registry
from runs.lifecycle import sessions
from runs.models import Attempt, Run, Task, WorkerSession
from runs.states import RunStatus
from tests.engine.cluster.conftest import Left
from tests.support.factories import dequeued_run, queued_run, trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(here):
    """A worker of version 1 in a cluster of version 1."""
    session = sessions.open_session("tests", slots=1, version="1", pid=1)
    here.board.session_id = session.pk
    here.slot.version = here.board.head.version = b"1"
    here.hot.version = "1"
    return here


def changed(place):
    """Another worker has found newer code."""
    place.board.head.version = b"2"
    WorkerSession.objects.update(version="2")


def test_the_first_worker_with_new_code_takes_the_cluster_along(place, caplog):
    task(id="send")(lambda payload: payload)
    reload.take_up(place, Catalog(tuple(registry), (), "2"))
    session = WorkerSession.objects.get(pk=place.board.session_id)
    assert (place.board.version, place.slot.version, session.version) == ("2", b"2", "2")
    assert session.tasks == '["send"]'
    assert Task.objects.get().version == "2"
    assert "has version 2 of the code; those of version 1 are replaced" in caplog.text


def test_a_version_of_64_letters_of_any_kind_fits(place):
    version = "é🚀" * 32
    reload.take_up(place, Catalog((), (), version))
    assert (place.board.version, place.slot.version.decode()) == (version, version)


def test_workers_of_old_code_get_nothing(place):
    place.slot.state = State.FREE
    assert place.board.free() == [0]
    changed(place)
    assert place.board.free() == []
    assert reload.is_to_be_replaced(place.slot, place.board.head.version)
    place.slot.state = State.RUNNING
    assert not reload.is_to_be_replaced(place.slot, place.board.head.version)


def test_what_was_claimed_for_new_code_is_handed_back(place):
    held = dequeued_run()
    place.slot.assign(*held.lease, held.attempt, State.ASSIGNED)
    changed(place)
    with pytest.raises(Left):
        worker.execute(*held.lease)
    assert (held.run.status, held.run.version) == (RunStatus.QUEUED, "")
    assert not Attempt.objects.exists()
    assert place.slot.state == State.GONE


def test_an_old_worker_ends_what_it_is_on_and_leaves(place, monkeypatch):
    def body(payload):
        if payload == "change":
            changed(place)

    task(id="send")(body)
    monkeypatch.setattr(together.Pace, "most", 16)
    held = dequeued_run(payload='"change"')
    left = queued_run()
    place.slot.assign(*held.lease, held.attempt, State.ASSIGNED)
    with pytest.raises(Left):
        worker.execute(*held.lease)
    assert (held.run.status, held.run.version) == (RunStatus.COMPLETED, "1")
    assert Run.objects.get(pk=left.pk).status == RunStatus.QUEUED


def test_a_body_knows_its_version(place):
    seen = []

    @task(id="send")
    def send(payload, ctx):
        seen.append(ctx.run.version)

    held = dequeued_run()
    trigger()
    place.slot.assign(*held.lease, held.attempt, State.ASSIGNED)
    worker.execute(*held.lease)
    assert seen == ["1", "1"]
