"""Options that a task does not state."""

from typing import Any

import pytest

import engine
from engine import InvalidOption, defaults, retry

#: Untyped on purpose: what type checkers know of tasks is in test_typing.py.
task: Any = engine.task


def options(**stated):
    made = task(id="x", **stated)(lambda: None)
    return made.retry.max_attempts, made.machine, made.max_duration, made.ttl


def test_nobody_states_anything():
    assert options() == (3, "small-1x", None, None)


def test_the_settings_come_before_that(settings):
    settings.TRACKSIDE = {
        "RETRY": {"max_attempts": 7},
        "MACHINE": "micro",
        "MAX_DURATION": 60,
        "TTL": 600,
    }
    assert options() == (7, "micro", 60, 600)


def test_init_py_comes_before_the_settings(settings):
    settings.TRACKSIDE = {"RETRY": {"max_attempts": 7}, "MACHINE": "micro", "TTL": 600}
    defaults(retry=retry(max_attempts=5), max_duration="1h")
    defaults(machine={"cpu": 2, "memory": 4})
    assert options() == (5, "medium-2x", 3600, 600)


def test_the_task_comes_before_all(settings):
    settings.TRACKSIDE = {"TTL": 600, "MAX_DURATION": 60}
    made = task(id="early", max_duration=0, ttl=0, machine="micro", retry={"max_attempts": 1})
    early = made(lambda: None)
    defaults(retry={"max_attempts": 5}, max_duration="1h", ttl="1d", machine="large-1x")
    assert (early.retry.max_attempts, early.machine) == (1, "micro")
    assert (early.max_duration, early.ttl) == (None, None)


def test_they_hold_for_tasks_defined_before():
    made = task(id="early")(lambda: None)
    defaults(max_duration=90)
    assert made.max_duration == 90


@pytest.mark.parametrize(
    "wrong", [{"machine": "huge"}, {"max_duration": -1}, {"ttl": "soon"}, {"retry": {"tries": 1}}]
)
def test_wrong_ones_are_refused_at_once(wrong):
    with pytest.raises(InvalidOption):
        defaults(**wrong)


def test_wrong_settings_are_named(settings):
    settings.TRACKSIDE = {"RETRY": {"tries": 3}}
    with pytest.raises(InvalidOption, match='TRACKSIDE\\["RETRY"\\] in the settings'):
        options()
