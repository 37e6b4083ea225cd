"""Clocks that jump and machines that sleep: silence is believed only where it was heard."""

import time

import pytest

from engine.maintenance import reaper
from runs.lifecycle import sessions
from tests.support import factories

pytestmark = pytest.mark.django_db
LEASE = 60.0


class Clocks:
    """Of this machine since it began, of its wall, and of the database server since its start."""

    def __init__(self, monkeypatch, settings):
        self.since, self.wall, self.age = 1000.0, 1e9, 5000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.since)
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(sessions, "database_age", lambda: self.age)
        monkeypatch.setattr(sessions, "reap", self.reap)
        settings.TRACKSIDE = {**settings.TRACKSIDE, "LEASE_SECONDS": LEASE}
        self.reaper = reaper.Reaper()
        self.believed = False

    def reap(self, *, expired):
        self.believed = expired
        return 0

    def pass_by(self, seconds, *, step=5.0):
        """Sweeps go on meanwhile; whether silence is believed in the end."""
        for _ in range(round(seconds / step)):
            self.since, self.wall = self.since + step, self.wall + step
            self.age = None if self.age is None else self.age + step
            self.reaper.sweep()
        return self.believed


@pytest.fixture
def clocks(monkeypatch, settings):
    made = Clocks(monkeypatch, settings)
    assert not made.pass_by(LEASE - 10)
    assert made.pass_by(20)
    return made


@pytest.mark.parametrize("jump", [3600, -3600, 10])
@pytest.mark.parametrize("whose", ["wall", "age"])
def test_a_clock_that_jumps_takes_nothing_back(clocks, jump, whose):
    """Of this machine, or of the server; for a lease nobody is given up."""
    setattr(clocks, whose, getattr(clocks, whose) + jump)
    assert not clocks.pass_by(5)
    assert not clocks.pass_by(LEASE - 10)
    assert clocks.pass_by(10)


def test_who_has_slept_gives_nobody_up(clocks):
    """All clocks went on, and this process did not."""
    assert not clocks.pass_by(LEASE, step=LEASE)
    assert clocks.pass_by(LEASE)


def test_a_database_without_a_server_has_no_clock_of_its_own(clocks):
    clocks.age = None
    assert clocks.pass_by(5)


@pytest.mark.django_db(transaction=True)
def test_silence_of_a_jump_is_no_silence():
    """What a reaper that believes it would do: the other way to see that it must not."""
    one = factories.executing_run()
    factories.WorkerSession.objects.update(expires_at=factories.timezone.now())
    assert sessions.reap(expired=False) == 0
    assert one.run.status == "EXECUTING"
    assert sessions.reap() == 1
