"""The arithmetic of rates, and what people may write."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runs.errors import InvalidOption
from runs.rates import Pace, RateLimit, as_rate

rates = st.builds(
    lambda per, limit, part: RateLimit(limit, per, max(1, int(limit * part))),
    st.integers(1, 600),
    st.one_of(st.integers(1, 8), st.integers(1, 2000)),
    st.floats(0, 1),
)
#: Microseconds between two attempts to start something, from a rush to a long pause.
steps = st.lists(
    st.sampled_from([0, 0, 0, 1, 999, 40_000, 500_000, 1_000_000, 60_000_000, 700_000_001]),
    min_size=20,
    max_size=120,
)


def starts(rate: RateLimit, gaps: list[int]) -> list[int]:
    """Moments at which a start is allowed, by the rule that claims follow."""
    pace, now, arrival, found = Pace(rate.interval, rate.burst), 10**15, 0, []
    for gap in gaps:
        now += gap
        if pace.opens(arrival, now) <= now:
            assert pace.left(arrival, now) > 0
            arrival = pace.after(arrival, now)
            found.append(now)
        else:
            assert pace.left(arrival, now) == 0
            assert now < pace.opens(arrival, now) <= now + rate.interval
    return found


@given(rates, steps)
@example(RateLimit(3, 60, 3), [0] * 20)
@example(RateLimit(7, 1), [1] * 40)
def test_no_window_has_more_starts_than_the_rate_allows(rate, gaps):
    found = starts(rate, gaps)
    period, most = int(rate.period * 1_000_000), rate.limit + rate.burst - 1
    for index, since in enumerate(found):
        assert sum(since <= at < since + period for at in found[index:]) <= most


@given(rates, st.integers(1, 50))
def test_whoever_comes_when_it_opens_gets_in(rate, count):
    pace, now, arrival = Pace(rate.interval, rate.burst), 10**15, 0
    began = now
    for _ in range(count):
        now = max(now, pace.opens(arrival, now))
        arrival = pace.after(arrival, now)
    assert now - began == max(count - rate.burst, 0) * rate.interval


@given(rates, st.integers(0, 10**16))
def test_a_clock_that_was_set_back_costs_one_interval_at_most(rate, arrival):
    assert Pace(rate.interval, rate.burst).opens(arrival, 10**15) <= 10**15 + rate.interval


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("100/1m", RateLimit(100, 60)),
        ("100/m", RateLimit(100, "1m")),
        (" 5 / 90s ", RateLimit(5, timedelta(seconds=90))),
        ("1_000/1h30m burst 20", RateLimit(1000, "1h30m", 20)),
        ({"limit": 3, "per": "1d", "burst": 2}, RateLimit(3, "1d", 2)),
        (RateLimit(3, "1d"), RateLimit(3, "1d")),
        (None, None),
        ("", None),
    ],
)
def test_what_may_be_written(written, meant):
    assert as_rate(written) == meant


@given(rates)
def test_its_text_says_the_same(rate):
    assert as_rate(rate.text) == rate


@pytest.mark.parametrize(
    "written",
    [
        "100", "100/", "/1m", "100/1x", "100/0s", "0/1m", "-1/1m", "1.5/1m", "100001/1m", "1/367d",
        "10/1m burst 11", "10/1m burst 0", "10 per minute", 100, 1.5, True, [100, 60],
        {"limit": 3}, {"limit": 3, "per": 60, "every": 1}, {"limit": "3", "per": 60},
        {"limit": 3, "per": 0.5}, {"limit": 3, "per": 1.5}, {"limit": True, "per": 60},
        {"limit": 3, "per": float("nan")}, {"limit": 3, "per": 60, "burst": None},
    ],
)  # fmt: skip
def test_what_may_not(written):
    with pytest.raises(InvalidOption, match="rate_limit") as refused:
        as_rate(written)
    assert refused.value.option == "rate_limit"


def test_nothing_at_all_is_not_a_rate():
    with pytest.raises(InvalidOption, match="pause the queue or set concurrency_limit=0"):
        as_rate("0/1m")


def test_in_words():
    assert as_rate("1000/1m").sentence == "1,000 per minute"
    assert as_rate("5/90s burst 2").sentence == "5 per 90s, 2 at once"
