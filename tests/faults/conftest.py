"""Two hands on one database, and the points of their transactions."""

from collections.abc import Iterator

import pytest

from engine import wakeup
from runs.lifecycle import definitions
from tests.faults import points
from tests.faults.scenes import Stage


@pytest.fixture(autouse=True)
def _nobody_is_woken(monkeypatch):
    monkeypatch.setattr(wakeup, "hint", lambda message: None)


@pytest.fixture(scope="module")
def laid(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The points, for all tests of a module."""
    with django_db_blocker.unblock(), points.laid(), django_db_blocker.block():
        yield


@pytest.fixture(scope="module")
def both_hands(laid, django_db_blocker) -> Iterator[tuple[points.Hand, points.Hand]]:
    with django_db_blocker.unblock():
        both = points.Hand(), points.Hand()
    yield both
    for hand in both:
        hand.close()


@pytest.fixture
def stage(laid, transactional_db) -> Stage:
    definitions.forget()
    return Stage()


@pytest.fixture
def hands(both_hands, stage) -> tuple[points.Hand, points.Hand]:
    return both_hands
