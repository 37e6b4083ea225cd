"""What a cluster stops that cannot know whether its session is alive."""

import time

import pytest

from engine.cluster import trust
from engine.cluster.board import Ask, Board, State
from runs import conf
from runs.models import Queue

LEASE = 60 * trust.SECOND


@pytest.fixture
def board(settings):
    settings.TRACKSIDE = {"LEASE_SECONDS": 60.0}
    made = Board(2, seats=1)
    made.head.sharing = 1
    for seat, queue in zip(made.taken, ("narrow", "wide", "narrow"), strict=True):
        seat.assign(f"run_{queue}", "token", 1, State.RUNNING)
        seat.queue = trust.number_of(queue)
    trust.mark(made.head, ["narrow"])
    return made


def stopped(board):
    trust.stop_unsure(board)
    return [seat.is_asked and Ask(seat.ask) for seat in board.taken]


def test_runs_of_limited_queues_stop_before_the_lease_is_over(board):
    trust.renew(board.head, time.monotonic_ns())
    assert stopped(board) == [False] * 3
    trust.renew(board.head, time.monotonic_ns() - LEASE * 9 // 10)
    assert stopped(board) == [Ask.SHUTDOWN, False, Ask.SHUTDOWN]


def test_a_fenced_cluster_ends_all_of_them_anyway(board):
    board.head.fenced = 1
    assert stopped(board) == [False] * 3


def test_a_place_that_holds_no_run_of_a_queue_is_left_alone(board):
    trust.mark(board.head, [f"queue-{number}" for number in range(5000)])
    for seat in board.taken:
        seat.queue = 0
    assert stopped(board) == [False] * 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["concurrency_limit", "total_limit", "override_limit", "override_total"]
)
def test_every_kind_of_limit_counts(board, name):
    Queue.objects.create(name="free", rate_limit="1/1s")
    Queue.objects.create(name="bound", **{name: 3})
    trust.note_limits(board.head)
    limited = [trust.is_limited(board.head, trust.number_of(queue)) for queue in ("free", "bound")]
    assert limited == [False, True]


def test_the_margin_leaves_time_to_stop():
    assert conf.DEFAULTS["LEASE_SECONDS"] * trust.MARGIN >= 10
