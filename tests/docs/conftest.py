"""What pages define does not meet what other tests have imported."""

import pytest

from engine.registry import registry


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_tasks", {})
    monkeypatch.setattr(registry, "_broken", {})
