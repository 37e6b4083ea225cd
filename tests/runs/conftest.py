import pytest

from engine import wakeup
from runs import ids
from runs.lifecycle import definitions


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()


@pytest.fixture(autouse=True)
def _ids_start_now(monkeypatch):
    """Ids never go back in time; a test that travels does not drag the others along."""
    monkeypatch.setattr(ids, "_last", 0)


@pytest.fixture(autouse=True)
def _nobody_is_woken(monkeypatch):
    """No cluster runs here, and the notifier's connection would outlive the test database."""
    monkeypatch.setattr(wakeup, "hint", lambda message: None)
