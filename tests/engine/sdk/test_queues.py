import pytest

from engine.sdk.queues import as_queue, queue
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


def test_refuses_unknown_options():
    with pytest.raises(InvalidOption, match="rate"):
        as_queue({"name": "paid", "rate": 3}, "hello")
