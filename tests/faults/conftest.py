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


@pytest.fixture
def stage(transactional_db) -> Iterator[Stage]:
    definitions.forget()
    with points.laid():
        made = Stage()
        yield made


@pytest.fixture
def hands(stage) -> Iterator[tuple[points.Hand, points.Hand]]:
    both = points.Hand(), points.Hand()
    yield both
    for hand in both:
        hand.close()
