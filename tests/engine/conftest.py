"""A registry of its own for each test, and a runtime that only remembers."""

from dataclasses import dataclass, field

import pytest

from engine import runtime
from engine.registry import registry
from engine.runtime import Generator, Launch, Launched, Schedule


class FakeSchedules:
    def create(self, key, options, actor):
        return Schedule(
            id=f"sched_{key}",
            type="IMPERATIVE",
            task=options["task"],
            active=True,
            generator=Generator(options["cron"], ""),
            timezone=options["timezone"],
            deduplication_key=key,
            external_id=options["external_id"],
            overlap="",
            catch_up="skip",
            next_run=None,
            last_run=None,
        )


@dataclass
class FakeRuntime:
    launches: list[Launch] = field(default_factory=list)
    schedules: FakeSchedules = field(default_factory=FakeSchedules)

    def trigger(self, launch):
        return self.trigger_many([launch])[0]

    def trigger_many(self, launches):
        first = len(self.launches)
        self.launches.extend(launches)
        return [Launched(f"run_{first + number}") for number, _ in enumerate(launches)]

    @property
    def last(self):
        return self.launches[-1]


@pytest.fixture
def fake_runtime():
    fake = FakeRuntime()
    before = runtime.install(fake)
    yield fake
    runtime.install(before)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_tasks", {})
    monkeypatch.setattr(registry, "_broken", {})
