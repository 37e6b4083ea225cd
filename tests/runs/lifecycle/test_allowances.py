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


@pytest.mark.django_db(transaction=True)
def test_nothing_is_counted_twice_or_lost():
    taken = together([lambda: allowances.take("key:1", 7, 10)] * 6)
    assert sorted(taken) == [0, 10, 20, 30, 40, 50]
