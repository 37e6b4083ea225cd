"""What a process does about the environment variables people keep in Trackside."""

import os
import time

import pytest

from engine import task
from engine.cluster import variables, worker
from engine.cluster.board import State
from engine.cluster.bookkeeper import Bookkeeper
from engine.cluster.dispatcher import DispatchBroker
from engine.execution.hygiene import Snapshot
from engine.wakeup import VARIABLES
from runs.lifecycle import envvars
from runs.models import Run
from runs.states import RunStatus
from tests.engine.cluster.conftest import Left
from tests.support.factories import dequeued_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """What is set here is gone afterwards."""
    for name in ("SHOP_KEY", "SHOP_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHOP_OWN", "the machine's")


@pytest.fixture
def place(here):
    """A worker that has loaded what there was."""
    variables.load_variables(here)
    here.clean = Snapshot()
    return here


def put(**values):
    envvars.put(values, actor="user:ada")


def changed(place, **values):
    put(**values)
    variables.look(place.board)


def ran(place):
    """What a body sees."""
    held = dequeued_run()
    place.slot.assign(*held.lease, held.attempt, State.ASSIGNED)
    worker.execute(*held.lease)
    found = Run.objects.get(pk=held.run.pk)
    assert found.status == RunStatus.COMPLETED, found.error
    return found.output


def registered():
    @task(id="send")
    def look(payload):
        seen = os.environ.get("SHOP_KEY")
        os.environ["SHOP_KEY"] = "the body's"
        return seen


def test_a_new_process_has_them_unless_the_machine_has_its_own(here, caplog):
    put(SHOP_KEY="k", SHOP_OWN="stored")
    caplog.set_level("INFO", "trackside")
    variables.load_variables(here)
    assert (os.environ["SHOP_KEY"], os.environ["SHOP_OWN"]) == ("k", "the machine's")
    assert (here.slot.variables, here.board.head.variables) == (1, 1)
    assert "wins over what Trackside has stored: SHOP_OWN." in caplog.text
    assert "stored\n" not in caplog.text.replace("has stored", "")


def test_a_run_that_starts_after_a_change_sees_it(place):
    registered()
    assert ran(place) is None
    changed(place, SHOP_KEY="k")
    assert ran(place) == '"k"'
    assert ran(place) == '"k"'  # what the body before did to it is undone
    changed(place, SHOP_KEY="l")
    assert ran(place) == '"l"'
    envvars.delete("SHOP_KEY", actor="user:ada")
    variables.look(place.board)
    assert ran(place) is None
    assert "SHOP_KEY" not in os.environ


def test_no_change_costs_no_query(place, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not variables.is_behind(place)


def test_what_cannot_be_decrypted_is_left_out_and_told(here, caplog, settings):
    put(SHOP_KEY="k")
    settings.SECRET_KEY = "another" * 10
    put(SHOP_URL="u")
    variables.load_variables(here)
    assert ("SHOP_KEY" in os.environ, os.environ["SHOP_URL"]) == (False, "u")
    assert "Runs go without these environment variables" in caplog.text
    assert "SHOP_KEY" in caplog.text


def test_idle_workers_with_old_ones_are_replaced_after_a_while(place):
    changed(place, SHOP_KEY="k")
    place.slot.state = State.FREE
    revision = place.board.head.variables
    assert not variables.is_to_be_replaced(place.slot, revision)
    place.slot.loaded_at -= 3600 * variables.SECOND
    assert variables.is_to_be_replaced(place.slot, revision)
    assert not variables.is_to_be_replaced(place.slot, place.slot.variables)
    place.slot.state = State.RUNNING
    assert not variables.is_to_be_replaced(place.slot, revision)


def test_a_busy_worker_with_old_ones_leaves_after_its_run(place, monkeypatch):
    registered()
    changed(place, SHOP_KEY="k")
    place.slot.loaded_at = time.monotonic_ns() - 3600 * variables.SECOND
    with pytest.raises(Left):
        ran(place)
    assert (Run.objects.get().status, place.slot.state) == (RunStatus.COMPLETED, State.GONE)


def test_the_bookkeeper_and_the_dispatcher_see_changes(place):
    board = place.board
    put(SHOP_KEY="k")
    DispatchBroker(board, place.wake).hear(VARIABLES)
    assert board.head.variables == 1
    put(SHOP_KEY="l")
    Bookkeeper(board, place.wake, place.wake).look_for_variables()
    assert board.head.variables == 2
