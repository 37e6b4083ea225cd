"""The bookkeeper's own steps, in this process."""

import pytest

from engine.cluster.board import Board
from engine.cluster.bookkeeper import Bookkeeper, open_session
from engine.cluster.channels import Channel
from runs.models import SessionState, WorkerSession

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
