"""A registry of its own for each test, and a runtime that only remembers."""

import json
from dataclasses import dataclass, field

import pytest

from engine import hooks, runtime
from engine.registry import registry
from engine.runtime import Batched, Changes, Launch, Launched, Part, Used
from engine.schedulebook import Generator, Schedule
from engine.sdk import defaults
from engine.sdk import hooks as hookchains


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
class FakeShelf:
    """Remembers what it was asked to append."""

    runtime: "FakeRuntime"
    parts: list[tuple[str, int, Part]] = field(default_factory=list)

    def append(self, run_id, attempt, part):
        self.runtime.fail()
        self.parts.append((run_id, attempt, part))

    @property
    def chunks(self):
        return [json.loads(text) for _, _, part in self.parts for text in part.chunks]


@dataclass
class FakeRuntime:
    launches: list[Launch] = field(default_factory=list)
    schedules: FakeSchedules = field(default_factory=FakeSchedules)
    changes: list[tuple[str, Changes]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    #: Who asked for its usage.
    used: list[tuple[str, int]] = field(default_factory=list)
    #: Raised by whatever stores something, once each.
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self):
        self.streams = FakeShelf(self)

    def trigger(self, launch):
        return self.trigger_many([launch])[0]

    def trigger_many(self, launches):
        first = len(self.launches)
        self.launches.extend(launches)
        return [Launched(f"run_{first + number}") for number, _ in enumerate(launches)]

    def trigger_batch(self, launches, wish):
        return Batched(wish.id, self.trigger_many(launches))

    def update_metadata(self, run_id, changes):
        self.fail()
        self.changes.append((run_id, changes))
        return {"stored": True}

    def add_tags(self, run_id, tags):
        self.fail()
        self.tags += tags

    def usage(self, run_id, attempt):
        self.used.append((run_id, attempt))
        return Used(total_ms=5000, attempt_ms=2000, is_executing=True)

    def fail(self):
        if self.failures:
            raise self.failures.pop(0)

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


@pytest.fixture(autouse=True)
def _own_hooks(monkeypatch):
    monkeypatch.setattr(hooks, "_hooks", [])
    hookchains.forget_chains()
    yield
    hookchains.forget_chains()


@pytest.fixture(autouse=True)
def _own_defaults():
    yield
    defaults.forget()
