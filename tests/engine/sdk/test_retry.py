from datetime import timedelta
from typing import Any

import pytest

from engine import RetryPolicy, retry
from engine.sdk.retries import as_policy
from runs.errors import InvalidOption


def test_defaults_are_three_attempts():
    assert as_policy(None) == retry() == RetryPolicy()


def test_a_dict_means_the_same_as_the_object():
    written: dict[str, Any] = {
        "max_attempts": 10,
        "min_timeout": "1m",
        "max_timeout": timedelta(hours=1),
    }
    assert as_policy(written) == retry(**written)


def test_milliseconds_are_accepted():
    found = as_policy({"min_timeout_in_ms": 500, "max_timeout_in_ms": 30_000})
    assert (found.min_timeout, found.max_timeout) == (0.5, 30.0)


def test_a_larger_machine_for_lack_of_memory():
    assert as_policy({"out_of_memory": {"machine": "large-1x"}}).out_of_memory_machine == "large-1x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 3},
        {"max_attempts": 0},
        {"min_timeout": "soon"},
        {"out_of_memory": {"machine": "huge"}},
        {"out_of_memory": {}},
    ],
)
def test_refuses_wrong_options(wrong):
    with pytest.raises(InvalidOption):
        as_policy(wrong)
