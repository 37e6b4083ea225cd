"""Fires within a window: each schedule at a place of its own, always the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.cron import parse
from runs.errors import InvalidOption
from runs.spread import Window, spread, window

pytestmark = pytest.mark.once
START = datetime(2026, 3, 28, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("30m", Window(seconds=1800.0)),
        ("1d", Window(seconds=86400.0)),
        ("50%", Window(share=0.5)),
        ("12.5 %", Window(share=0.125)),
        ("100%", Window(share=1.0)),
    ],
)
def test_reads(text, found):
    assert window(text) == found


@pytest.mark.parametrize("text", ["0m", "0%", "101%", "25h", "-5m", "half", "5", "%", "1" * 20])
def test_refuses_with_what_is_allowed(text):
    with pytest.raises(InvalidOption, match=r"30m.*50%.*got") as refusal:
        window(text)
    assert refusal.value.option == "window"


def test_without_one_a_clock_is_as_it_was():
    clock = parse("0 5 * * *")
    assert spread(clock, "", "sched_1") is clock
    assert (clock.plain, clock.nominal(START)) == (clock, START)


EXPRESSIONS = ["0 * * * *", "*/7 * * * *", "30 2 * * *", "0 5 * * MON", "0 0 29 2 *"]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(["Europe/Berlin", "UTC", "Australia/Lord_Howe"]),
    st.sampled_from(["10m", "90m", "1d", "1%", "50%", "100%"]),
    st.integers(0, 20),
    st.integers(0, 400 * 24 * 60),
)
def test_every_fire_has_one_moment_in_its_window(expression, zone, text, number, minutes):
    plain = parse(expression, zone)
    clock = spread(plain, text, f"sched_{number}")
    after = START + MINUTE * minutes
    moments = clock.upcoming(after, 4)
    assert all(moment > after for moment in moments)
    assert all(one < other for one, other in pairwise(moments))
    named = [clock.nominal(moment) for moment in moments]
    assert named == plain.upcoming(named[0] - timedelta(microseconds=1), 4)
    following = plain.upcoming(named[0], 4)
    found = window(text)
    for moment, name, later in zip(moments, named, following, strict=True):
        longest = timedelta(seconds=found.seconds) or (later - name) * found.share
        assert name <= moment <= name + longest
        assert moment.microsecond == 0
    # asked from anywhere, the same
    assert clock.upcoming(moments[0], 3) == moments[1:]
    assert clock.next(moments[0] - MINUTE / 60) == moments[0]


def test_schedules_of_one_expression_come_apart_and_keep_their_distance():
    plain = parse("0 5 * * *")
    places = set()
    for number in range(50):
        moments = spread(plain, "1h", f"sched_{number}").upcoming(START, 3)
        assert {other - one for one, other in pairwise(moments)} == {timedelta(days=1)}
        places.add(moments[0])
    assert len(places) > 40
    assert max(places) - min(places) > timedelta(minutes=45)
