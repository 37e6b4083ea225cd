import os

import pytest
from django.db import connections

from engine.cluster import place as places
from engine.cluster import tidying, worker
from engine.cluster.board import Board, State
from engine.cluster.channels import Channel, TaskQueue
from runs import conf
from runs.lifecycle import store
from tests.support.factories import dequeued_run


class Left(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def here(monkeypatch):
    """One worker that holds nothing yet, over the test's own connection."""

    def leave(code):
        raise Left(code)

    monkeypatch.setitem(conf._known, "STAY_SECONDS", 0.0)  # nobody sends anything
    wake, lines, inbox = Channel(), Channel(), TaskQueue()
    place = worker.Place(Board(1), 0, wake, worker.LineSender(lines), 0, [inbox])
    place.hot = store.current()
    place.slot.pid, place.resting = (
        os.getpid(),
        1 << 40,
    )  # what the test process holds is not the run's
    monkeypatch.setattr(places, "_place", place)
    # the children of this process are the suite's own servers
    monkeypatch.setattr(tidying, "sweep_children", lambda known: 0)
    # the test's own connection is in a transaction, as no body may leave one
    monkeypatch.setattr(connections, "all", lambda *, initialized_only: [])
    monkeypatch.setattr(worker.os, "_exit", leave)
    monkeypatch.setattr(worker.logging, "shutdown", lambda: None)
    yield place
    for channel in (wake, lines, inbox):
        channel.reader.close()
        channel.writer.close()


@pytest.fixture
def one(here):
    """A claimed run, on the worker's slot."""
    held = dequeued_run()
    here.slot.assign(*held.lease, held.attempt, State.ASSIGNED)
    return held
