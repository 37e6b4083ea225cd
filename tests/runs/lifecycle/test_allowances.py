import pytest

from runs.lifecycle import allowances
from runs.models import RequestWindow
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def test_counts_what_was_taken_before_in_a_window():
    assert [allowances.take("key:1", 7, 10) for _ in range(3)] == [0, 10, 20]
    assert allowances.take("public:1", 7, 10) == 0
    assert allowances.take("key:1", 8, 5) == 0
    assert RequestWindow.objects.get(caller="key:1").used == 5


def test_a_machine_whose_clock_is_behind_counts_with_the_others():
    allowances.take("key:1", 8, 10)
    assert allowances.take("key:1", 7, 10) == 10
    assert RequestWindow.objects.get().number == 8


def test_a_clock_far_ahead_spoils_nothing():
    allowances.take("key:1", 10**12, 10)
    assert [allowances.take("key:1", 7, 10) for _ in range(2)] == [0, 10]


def test_what_was_counted_can_be_given_back_and_forgotten():
    allowances.take("login:a", 7, 3)
    assert allowances.take("login:a", 7, -3) == 3
    assert RequestWindow.objects.get(caller="login:a").used == 0
    allowances.take("login:b", 9, 1)
    allowances.take("key:1", 7, 1)
    allowances.forget("login:", 9)
    left = RequestWindow.objects.order_by("caller").values_list("caller", flat=True)
    assert list(left) == ["key:1", "login:b"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_counted_twice_or_lost():
    taken = together([lambda: allowances.take("key:1", 7, 10)] * 6)
    assert sorted(taken) == [0, 10, 20, 30, 40, 50]
