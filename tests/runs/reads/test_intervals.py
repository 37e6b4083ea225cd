from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runs.reads.intervals import length, union, without

START = datetime(2026, 1, 1, tzinfo=UTC)
SOME = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def made(pairs):
    at = [START + timedelta(seconds=second) for second in range(41)]
    return [(at[min(pair)], at[max(pair)]) for pair in pairs]


def seconds(some):
    """The whole seconds that lie in them."""
    return {
        second
        for start, end in some
        for second in range(
            int((start - START).total_seconds()), int((end - START).total_seconds())
        )
    }


@given(SOME, SOME)
def test_what_is_left_is_what_is_not_cut(some, cut):
    left = without(made(some), made(cut))
    assert seconds(left) == seconds(made(some)) - seconds(made(cut))
    assert length(left).total_seconds() == len(seconds(left))


@given(SOME)
def test_a_union_does_not_touch_itself(some):
    found = union(made(some))
    assert seconds(found) == seconds(made(some))
    assert all(one[1] < other[0] for one, other in pairwise(found))
