"""Offsets: what a subscriber has, and what is new to it."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.realtime.feeds import EPOCH, Feed, Offset
from runs.reads.shapes import Shape, Version

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TAGGED = Shape(tags=("a",), since=NOON)
ONE, TWO, THREE = "run_00000000000000000000000001", "run_00000000000000000000000002", "run_00000000000000000000000003"  # fmt: skip


def versions(**marks):
    names = {"one": ONE, "two": TWO, "three": THREE}
    return {names[name]: Version(mark, NOON) for name, mark in marks.items()}


def feed(*readings, shape=TAGGED):
    made = Feed(shape)
    for reading in readings:
        made.take(reading)
    return made


def test_a_new_subscriber_gets_everything():
    assert feed(versions(two=1, one=1)).news(None) == [ONE, TWO]


def test_only_what_changed_since_is_new():
    here = feed(versions(one=1, two=1))
    before = here.offset
    assert here.news(before) == []
    assert here.take(versions(one=1, two=2))
    assert here.news(before) == [TWO]
    assert here.take(versions(one=1, two=2, three=1))
    assert here.news(before) == [TWO, THREE]
    assert here.news(here.offset) == []


def test_changes_at_one_and_the_same_time_are_told_apart():
    here = feed(versions(one=1))
    before = here.offset
    here.take(versions(one=2))
    assert here.offset.milliseconds == before.milliseconds
    assert here.news(before) == [ONE]


def test_what_commits_late_with_an_earlier_time_is_new():
    here = feed({ONE: Version(1, NOON)})
    before = here.offset
    here.take({ONE: Version(1, NOON), TWO: Version(1, NOON - timedelta(hours=3))})
    assert here.offset.milliseconds == before.milliseconds
    assert here.news(before) == [TWO]


def test_another_process_knows_the_state_by_what_it_is():
    here, there = feed(versions(one=1), versions(one=1, two=1)), feed(versions(two=1, one=1))
    assert here.offset == there.offset
    assert there.knows(here.offset)
    assert there.news(here.offset) == []


def test_to_a_state_of_elsewhere_the_last_minute_is_new():
    old, new = NOON - timedelta(seconds=61), NOON - timedelta(seconds=59)
    here = feed({ONE: Version(1, old), TWO: Version(1, new), THREE: Version(1, NOON)})
    elsewhere = Offset((NOON - EPOCH) // timedelta(milliseconds=1), 12345)
    assert not here.knows(elsewhere)
    assert here.news(elsewhere) == [TWO, THREE]


def test_the_one_run_is_new_to_every_state_of_elsewhere():
    here = feed(versions(one=1), shape=Shape(run_id=ONE))
    assert here.news(Offset(10**14, 1)) == [ONE]


def test_what_left_the_shape_is_no_news():
    here = feed(versions(one=1, two=1))
    before = here.offset
    assert not here.take(versions(one=1))
    assert here.offset != before
    assert here.news(before) == []
    here.take(versions(one=1, two=1))
    assert here.offset == before


def test_old_states_are_forgotten_and_then_from_elsewhere():
    here = feed(versions(one=0))
    first = here.offset
    for mark in range(1, 600):
        here.take(versions(one=mark))
    assert len(here.states) == 500
    assert not here.knows(first)
    assert here.news(first) == [ONE]


@pytest.mark.parametrize("milliseconds", [0, 10**15 - 1])
def test_a_time_that_cannot_be_is_near_one_that_can(milliseconds):
    assert feed(versions(one=1)).news(Offset(milliseconds, 1)) in ([ONE], [])
