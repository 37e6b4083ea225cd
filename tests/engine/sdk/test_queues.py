from datetime import timedelta

import pytest

from engine import RateLimit
from engine.sdk.queues import as_queue, queue
from engine.sdk.tasks import define
from runs.errors import InvalidOption


def test_a_task_without_a_queue_has_its_own():
    assert as_queue(None, "hello") == queue("task/hello")
    assert as_queue({"concurrency_limit": 1}, "hello") == queue("task/hello", concurrency_limit=1)


def test_a_name_declares_nothing():
    assert not as_queue("paid", "hello").declared
    assert as_queue({"name": "paid"}, "hello").declared


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "é", 7, None])
def test_refuses_names(name):
    with pytest.raises(InvalidOption):
        queue(name)


@pytest.mark.parametrize("limit", [-1, 100_001, 1.5, True, "1"])
def test_refuses_limits(limit):
    with pytest.raises(InvalidOption):
        queue("paid", concurrency_limit=limit)


@pytest.mark.parametrize(
    "rate", ["100/1m", {"limit": 100, "per": 60}, RateLimit(100, per=timedelta(minutes=1))]
)
def test_a_rate_has_three_spellings(rate):
    assert queue("paid", rate_limit=rate).rate_limit == RateLimit(100, "1m")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate_limit": "often"}, "Queue “paid”: rate_limit is written “100/1m”.*got 'often'"),
        ({"rate_limit": "0/1m"}, "Queue “paid”: rate_limit: limit .* from 1 to 100,000; got 0"),
        ({"rate_limit": 5}, "Queue “paid”: rate_limit is written .*got 5"),
        ({"total_limit": -1}, "Queue “paid”: total_limit must be 0 to 100000; got -1"),
    ],
)
def test_says_whose_which_value_and_what_is_allowed(options, says):
    with pytest.raises(InvalidOption, match=says) as refused:
        queue("paid", **options)
    assert refused.value.option in options
    with pytest.raises(InvalidOption, match=f"Task “mail”: {says}"):
        define(lambda payload: None, id="mail", queue={"name": "paid", **options})


def test_refuses_unknown_options():
    with pytest.raises(InvalidOption, match="rate"):
        as_queue({"name": "paid", "rate": 3}, "hello")
