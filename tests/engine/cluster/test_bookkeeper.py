"""The bookkeeper's own steps, in this process."""

import time

import pytest

from engine.cluster import bookkeeper
from engine.cluster.board import Ask, Board
from engine.cluster.bookkeeper import Bookkeeper, Death, open_session
from engine.cluster.channels import Channel
from runs import lifecycle
from runs.models import Run, SessionState, WorkerSession
from tests.support.factories import executing_run, trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def books():
    """Those of a cluster that has just begun."""
    deaths, lines = Channel(), Channel()
    board = Board(3, "reports", "v7")
    open_session(board)
    yield Bookkeeper(board, deaths, lines)
    for channel in (deaths, lines):
        channel.reader.close()
        channel.writer.close()


def reaped():
    WorkerSession.objects.update(state=SessionState.DEAD)


def deleted():
    WorkerSession.objects.all().delete()


@pytest.mark.parametrize("lose", [reaped, deleted])
def test_a_lost_session_begins_again(books, lose):
    first = WorkerSession.objects.get()
    lose()
    books.board.head.tick = 1 << 62
    books.beat()
    assert books.board.head.fenced == 1
    books.board.head.fenced = 2  # the sentinel has ended the workers
    books.beat()
    second = WorkerSession.objects.get(state=SessionState.ALIVE)
    assert (books.board.session_id, books.board.head.fenced) == (second.pk, 0)
    assert second.pk != first.pk
    for name in ("cluster", "slots", "version", "pid"):
        assert getattr(second, name) == getattr(first, name)


def test_the_children_of_a_killed_canceled_run_are_canceled(books):
    one = executing_run()
    child = trigger(parent_id=one.run_id)
    lifecycle.cancel(one.run_id, actor="user:ada")
    # triggered in the last moment, so that neither side saw the other
    late = trigger()
    Run.objects.filter(pk=late.pk).update(parent_id=one.run_id)
    run_id, token = one.lease
    books.record(Death(run_id=run_id, token=token, started=True, killed=Ask.CANCEL, exitcode=-9))
    runs = Run.objects.filter(pk__in=[run_id, child.pk, late.pk])
    assert set(runs.values_list("status", flat=True)) == {"CANCELED"}


@pytest.mark.parametrize(("again", "is_soon"), [(0.0, True), (None, False)])
def test_bulk_actions_do_not_wait_for_the_sweep(books, monkeypatch, again, is_soon):
    later = books.bulk[0] = time.monotonic() + 3600
    monkeypatch.setattr(bookkeeper, "go_on_in_bulk", lambda: again)
    books.go_on_in_bulk()
    assert (books.bulk[0] < later) == is_soon
    assert books.bulk in books.timers
