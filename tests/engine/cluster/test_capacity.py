"""What a cluster's runs may have together, and what the cluster makes of a heavy run that waits."""

from types import SimpleNamespace

import pytest

from engine.cluster import capacity, tidying, worker
from engine.cluster.board import Board
from engine.cluster.dispatcher import CONTENDED, WEIGHED, DispatchBroker
from runs.lifecycle import sessions, store
from runs.lifecycle.store import Next, Waits
from runs.machines import Capacity
from tests.support.factories import claim, trigger


@pytest.fixture
def computer(monkeypatch):
    """One of two cores and 4 GB."""
    monkeypatch.setattr(capacity, "cores", lambda: 2)
    monkeypatch.setattr(capacity, "installed", lambda: 4)


@pytest.mark.parametrize(
    ("workers", "given", "has"),
    [
        (2, {}, Capacity(8.0, 4.0)),
        (40, {}, Capacity(20.5, 20.5)),
        (2, {"CAPACITY_CPU": 3.0, "CAPACITY_MEMORY": 2.0}, Capacity(3.0, 2.0)),
        (2, {"CAPACITY_MEMORY": 1.0}, Capacity(8.0, 1.0, tight=True)),
        (4, {"MACHINE": "large-1x"}, Capacity(20.0, 40.0)),
    ],
)
def test_it_is_what_the_settings_say_or_never_too_little(settings, computer, workers, given, has):
    settings.TRACKSIDE = {**settings.TRACKSIDE, **given}
    assert capacity.capacity(workers, shared=True) == has


def test_a_computer_has_whole_gigabytes_and_a_container_its_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(capacity, "GROUPS", ())
    has = capacity.installed()
    (tmp_path / "limit").write_text(str(3 * 1024**2))
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(capacity, "GROUPS", (tmp_path / "none", tmp_path / "away"))
    assert capacity.installed() == has >= 1
    monkeypatch.setattr(capacity, "GROUPS", (tmp_path / "limit",))
    assert capacity.installed() == 1


def test_a_dispatcher_without_room_does_not_look_in_circles(db):
    board = Board(2)
    has = Capacity(memory=1.0, tight=True)
    by = sessions.open_session("tests", slots=2, version="1", pid=1, capacity=has)
    board.session_id, broker = by.pk, DispatchBroker(board, None)
    broker.store = store.current()
    for _ in range(3):
        trigger()
    assert len(claim(by, 3)) == 2
    assert (broker.pause(has_free=True), board.head.heavy) == (WEIGHED, Waits.NOTHING)
    by = sessions.open_session("tests", slots=2, version="1", pid=1)
    board.session_id = by.pk
    assert broker.pause(has_free=True) == CONTENDED
    trigger("other", machine="large-1x")
    broker.pause(has_free=False)
    assert board.head.heavy == Waits.WORKER


def test_a_worker_becomes_free_for_a_heavy_run(settings, monkeypatch):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "INHERIT_RUNS": 1}
    board, budget = Board(1), worker.Budget()
    monkeypatch.setattr(tidying, "is_bloated", lambda here: False)
    here = SimpleNamespace(board=board, executed=0, version="", slot=board.slots[0])
    here.slot.version = board.head.version
    board.head.heavy = Waits.WORKER
    assert budget.take(here) == Next.SAME
    budget.runs = 1
    assert budget.take(here) == Next.NONE
    board.head.heavy = Waits.NOTHING
    assert budget.take(here) == Next.ANY
