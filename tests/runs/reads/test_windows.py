from datetime import UTC, datetime, timedelta

from runs.ids import new_id
from runs.reads.windows import floor_id, moment_of


def test_an_id_knows_its_millisecond():
    moment = datetime(2030, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert moment_of(floor_id("run", moment)) == moment


def test_a_floor_parts_before_from_after():
    now = datetime.now(UTC)  # noqa: TID251  the clock the ids are made by
    made = new_id("run")
    assert (
        floor_id("run", now - timedelta(seconds=1))
        < made
        < floor_id("run", now + timedelta(seconds=5))
    )


def test_times_before_the_epoch_are_the_beginning():
    assert floor_id("run", datetime(1900, 1, 1, tzinfo=UTC)) == f"run_{'0' * 26}"
