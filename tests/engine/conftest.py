"""A registry of its own for each test, and a runtime that only remembers."""

from dataclasses import dataclass, field

import pytest

from engine import hooks, runtime
from engine.registry import registry
from engine.runtime import Launch, Launched
from engine.sdk import defaults
from engine.sdk import hooks as hookchains


@dataclass
class FakeRuntime:
    launches: list[Launch] = field(default_factory=list)

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
