import pytest

from engine import wakeup
from engine.sdk import replay
from runs import ids
from runs.lifecycle import definitions
from tests.support.driver import Driver


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No cluster to wake; and the transaction of the test is not the body's."""
    monkeypatch.setattr(wakeup, "hint", lambda message: None)
    monkeypatch.setattr(replay, "is_in_transaction", lambda: False)
    monkeypatch.setattr(ids, "_last", 0)
    definitions.forget()


@pytest.fixture
def driver(db) -> Driver:
    return Driver()
