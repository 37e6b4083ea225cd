"""A worker is killed for what its own run uses, however busy the machine is that measures it."""

import os
import time
from types import SimpleNamespace

import pytest

from engine.cluster import deaths, limits
from engine.cluster.board import Ask, Board, State
from engine.cluster.limits import Limits

MEBIBYTE = 1024**2


@pytest.fixture
def killed(monkeypatch):
    found = []
    monkeypatch.setattr(limits, "kill_tree", found.append)
    return found


@pytest.fixture
def worker():
    return SimpleNamespace(pid=os.getpid(), join=lambda seconds: None)


@pytest.fixture
def slot():
    """Of a worker whose run has been executing for a while."""
    slot = Board(1).slots[0]
    begin(slot, "first")
    return slot


def begin(slot, run_id, token="token", memory=MEBIBYTE):
    slot.assign(run_id, token, 1, State.RUNNING)
    slot.memory, slot.since = memory, time.monotonic_ns() - int(2 * limits.YOUNG * limits.SECOND)


def measuring(monkeypatch, meanwhile):
    """What is measured is too much, and this happens before it is known."""

    def memory_of(pid):
        meanwhile()
        return 2 * MEBIBYTE

    monkeypatch.setattr(limits, "memory_of", memory_of)


def test_a_run_that_uses_too_much_is_killed(slot, worker, killed, monkeypatch):
    measuring(monkeypatch, lambda: None)
    Limits().measure([(worker, slot)])
    assert killed == [worker.pid]
    assert (slot.killed, slot.asked_token) == (Ask.MEMORY, b"token")


def test_a_run_that_began_meanwhile_does_not_pay_for_another(slot, worker, killed, monkeypatch):
    measuring(monkeypatch, lambda: slot.assign("second", "token", 1, State.RUNNING))
    Limits().measure([(worker, slot)])
    assert not killed
    assert slot.killed == Ask.NOTHING


def test_a_process_that_may_use_more_meanwhile_is_measured_again(slot, worker, killed, monkeypatch):
    measuring(monkeypatch, lambda: setattr(slot, "memory", 4 * MEBIBYTE))
    held = Limits()
    held.measure([(worker, slot)])
    assert not killed
    slot.memory, held.measured_at = MEBIBYTE, 0.0
    measuring(monkeypatch, lambda: None)
    held.measure([(worker, slot)])
    assert killed == [worker.pid]


def test_nobody_minds_that_a_worker_died_before_it_was_asked(slot):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    slot.pid = child
    limits.ask(slot, Ask.CANCEL, slot.token)
    assert slot.is_asked


def test_a_request_is_not_for_the_run_that_follows(slot):
    asked = slot.token
    begin(slot, "second", "other")
    limits.ask(slot, Ask.CANCEL, asked)
    assert not slot.is_asked
    assert slot.ask == Ask.NOTHING


def test_a_request_is_not_for_the_same_run_when_it_comes_back(slot):
    limits.ask(slot, Ask.SHUTDOWN, slot.token)
    assert slot.is_asked
    begin(slot, "first", "other")
    assert not slot.is_asked


def test_a_run_does_not_pay_for_the_cancel_of_the_one_before(slot, worker, killed, monkeypatch):
    """The worker goes on in the moment in which its time to stop is over."""
    limits.ask(slot, Ask.CANCEL, slot.token)

    def over(slot):
        begin(slot, "second", "other")
        return 0

    monkeypatch.setattr(limits, "grace_of", over)
    Limits().enforce(worker, slot)
    death = deaths.of(slot, -9)
    assert (death.run_id, death.killed) == ("second", Ask.SHUTDOWN)
