import os
from types import SimpleNamespace

import pytest

from engine.cluster import limits
from engine.cluster.board import Ask, Board, State
from engine.cluster.limits import Limits
from engine.cluster.starts import Starts

BAD = "/tasks/bad.py"


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("engine.cluster.starts.time", made)
    return made


@pytest.fixture
def slot():
    """Of a worker that is about to import."""
    slot = Board(1).slots[0]
    slot.clear(State.STARTING)
    return slot


@pytest.fixture
def starts(clock):
    return Starts(Board(1).left_out)


def pauses(starts, slot, count, exitcode):
    """Seconds until each next try, for so many deaths in a row."""
    found = []
    for _ in range(count):
        starts.ended(0, slot, exitcode)
        found.append(starts.due[0] - 1000)
    return found


def test_starts_that_fail_back_off_up_to_a_minute(starts, slot, clock):
    assert pauses(starts, slot, 8, exitcode=1) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert not starts.is_due(0)
    clock.now += 60
    assert starts.is_due(0)


def test_a_worker_that_was_ready_is_replaced_at_once(starts, slot):
    pauses(starts, slot, 3, exitcode=1)
    slot.clear(State.FREE)
    starts.ended(0, slot, -9)
    assert starts.is_due(0)
    slot.clear(State.STARTING)
    assert pauses(starts, slot, 1, exitcode=1) == [1]


@pytest.mark.parametrize(("exitcode", "says"), [(1, "exit code 1"), (-11, "signal SIGSEGV")])
def test_the_file_that_ended_the_process_is_left_out(starts, slot, exitcode, says):
    slot.announce(BAD)
    assert pauses(starts, slot, 1, exitcode) == [1]
    assert says in starts.left_out.errors[BAD]


def test_each_file_found_is_progress(starts, slot):
    for path in (BAD, "/tasks/worse.py"):
        slot.announce(path)
        assert pauses(starts, slot, 1, exitcode=1) == [1]


def test_a_kill_from_anywhere_is_no_proof(starts, slot, clock):
    slot.announce(BAD)
    pauses(starts, slot, 2, exitcode=-9)
    clock.now += 3600
    pauses(starts, slot, 2, exitcode=-9)
    assert not starts.left_out.errors
    pauses(starts, slot, 1, exitcode=-9)
    assert "signal SIGKILL" in starts.left_out.errors[BAD]


def test_a_kill_of_our_own_is_no_proof(starts, slot):
    slot.announce(BAD)
    slot.killed = Ask.SHUTDOWN
    pauses(starts, slot, 5, exitcode=-9)
    assert not starts.left_out.errors


def test_an_import_that_takes_all_memory_is_killed_and_left_out(starts, slot, monkeypatch):
    killed = []
    monkeypatch.setattr(limits, "kill_tree", killed.append)
    worker = SimpleNamespace(pid=os.getpid(), join=lambda seconds: None)
    slot.announce(BAD)
    slot.memory = limits.import_memory()
    Limits().measure([(worker, slot)])
    assert not killed
    slot.memory = 1024
    Limits().measure([(worker, slot)])
    assert killed == [os.getpid()]
    starts.ended(0, slot, -9)
    assert "too much memory" in starts.left_out.errors[BAD]
