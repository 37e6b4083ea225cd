"""Where a moment lies on a chart."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.pages import timescale
from dashboard.pages.timescale import NARROW, scale, tick_text
from runs.reads.intervals import union

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds):
    return START + timedelta(seconds=seconds)


def test_without_gaps_it_is_a_ruler():
    whole = scale(START, after(10))
    assert [whole.at(after(second)) for second in (-1, 0, 5, 10, 11)] == [0, 0, 50, 100, 100]
    assert [tick.text for tick in whole.ticks][:3] == ["0", "2 s", "4 s"]


def test_a_long_gap_is_narrow():
    whole = scale(START, after(1010), [(after(5), after(1005))])
    assert whole.at(after(1005)) - whole.at(after(5)) == pytest.approx(NARROW)
    assert whole.at(after(5)) == pytest.approx((100 - NARROW) / 2)
    assert [one.length for one in whole.idle] == [1000]


@pytest.mark.parametrize("gap", [(5, 5.5), (50, 52), (0, 0.9)])
def test_a_short_gap_stays(gap):
    assert not scale(START, after(100), [(after(gap[0]), after(gap[1]))]).idle


def test_only_the_longest_gaps_are_narrow():
    gaps = [(after(125 * n), after(125 * n + 101 + n)) for n in range(8)]
    assert len(scale(START, after(1000), gaps).idle) == timescale.MOST


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=6),
    st.integers(1, 10**6),
)
def test_it_never_goes_back(some, length):
    gaps = [(after(min(pair)), after(max(pair))) for pair in some]
    whole = scale(START, after(length), union(gaps))
    places = [whole.at(after(length * part / 50)) for part in range(51)]
    assert places == sorted(places)
    assert -0.001 <= places[0] <= places[-1] <= 100.001
    assert len(whole.ticks) <= 60


@pytest.mark.parametrize(
    ("seconds", "step", "text"),
    [(0, 1, "0"), (0.0002, 0.0001, "0.2 ms"), (0.5, 0.1, "500 ms"), (1.5, 0.5, "1.5 s"),
     (90, 30, "1 m 30 s"), (7200, 3600, "2 h")],
)  # fmt: skip
def test_ticks_read_as_people_say(seconds, step, text):
    assert tick_text(seconds, step) == text
