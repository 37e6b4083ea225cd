"""What a batch may be made of (features.md BA-3)."""

import pytest

from engine import InvalidOption, batch, task

pytestmark = pytest.mark.once


async def later():
    yield {"payload": 1}


@pytest.fixture
def double():
    @task(id="double")
    def double(payload: int) -> int:
        return payload * 2

    return double


def test_anything_that_can_be_gone_through_will_do(double, fake_runtime):
    double.batch_trigger({"payload": number} for number in range(3))
    double.batch_trigger(({"payload": 3},))
    assert [launch.payload for launch in fake_runtime.launches] == ["0", "1", "2", "3"]
    assert len(double.batch_trigger([])) == 0


@pytest.mark.parametrize("items", [None, 3, "text", {"payload": 1}])
def test_what_is_no_list_is_refused(double, fake_runtime, items):
    for trigger in (double.batch_trigger, batch.trigger):
        with pytest.raises(InvalidOption, match="items is a list of") as refusal:
            trigger(items)
        assert refusal.value.option == "items"
    assert fake_runtime.launches == []


def test_an_async_iterable_is_refused_with_what_to_do(double, fake_runtime):
    with pytest.raises(InvalidOption, match=r"collect it first: \[item async for item in items\]"):
        double.batch_trigger(later())
