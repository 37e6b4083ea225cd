import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.errors import InvalidOption
from runs.retries import HARD_CAP, RetryPolicy

policies = st.builds(
    RetryPolicy,
    max_attempts=st.just(HARD_CAP),
    factor=st.floats(0, 1000),
    min_timeout=st.floats(0, 1e6),
    max_timeout=st.floats(0, 1e6),
    randomize=st.booleans(),
)
tries = st.integers(1, HARD_CAP - 1)
chances = st.floats(0, 1, exclude_max=True)


def test_waits_longer_after_each_try():
    policy = RetryPolicy(max_attempts=9, randomize=False)
    assert [policy.delay(number) for number in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_lengthens_up_to_twice():
    policy = RetryPolicy()
    assert policy.delay(1, lambda: 0.0) == 1.0
    assert policy.delay(1, lambda: 0.5) == 1.5


def test_no_try_is_left():
    policy = RetryPolicy(max_attempts=3)
    assert policy.delay(2) is not None
    assert policy.delay(3) is None


def test_never_tries_more_than_the_hard_cap():
    assert RetryPolicy(max_attempts=HARD_CAP).delay(HARD_CAP) is None


@given(policies, tries, chances)
def test_delay_is_the_reference_formula(policy, number, chance):
    try:
        growth = policy.factor ** (number - 1)
    except OverflowError:
        growth = math.inf
    jitter = 1 + chance if policy.randomize else 1
    wanted = jitter * policy.min_timeout * growth if policy.min_timeout else 0.0
    found = policy.delay(number, lambda: chance)
    assert found == pytest.approx(min(policy.max_timeout, wanted), abs=0.001)
    assert 0 <= found <= policy.max_timeout + 0.0005


@given(policies)
def test_survives_json(policy):
    assert RetryPolicy.from_json(policy.to_json()) == policy


def test_ignores_what_a_newer_version_stored():
    assert RetryPolicy.from_json({"max_attempts": 5, "novelty": 1}).max_attempts == 5


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 251},
        {"max_attempts": True},
        {"max_attempts": 2.5},
        {"factor": -1},
        {"factor": math.nan},
        {"factor": "2"},
        {"min_timeout": -1},
        {"max_timeout": math.nan},
    ],
)
def test_refuses_nonsense(options):
    with pytest.raises(InvalidOption):
        RetryPolicy(**options)
