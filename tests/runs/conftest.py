import pytest

from engine import wakeup
from runs.lifecycle import definitions


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()


@pytest.fixture(autouse=True)
def _nobody_is_woken(monkeypatch):
    """No cluster runs here, and the notifier's connection would outlive the test database."""
    monkeypatch.setattr(wakeup, "hint", lambda message: None)
