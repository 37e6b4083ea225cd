"""Runs of async tasks in the one process they share, on a real cluster."""

import pytest

from runs import lifecycle
from runs.models import LogLine
from runs.states import RunStatus
from tests.support import invariants
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance


@pytest.fixture
def shared(site):
    """A site whose cluster has a hundred seats."""
    made = site.cluster(workers=1, TRACKSIDE_ASYNC_SLOTS="100")
    eventually(lambda: made.named("host"))
    return site


def naps(site, names, task="nap", **options):
    until = site.home / "wake-up"
    payloads = [{"name": name, "until": str(until)} for name in names]
    return site.trigger_many(task, payloads, **options), until


def test_a_hundred_sleep_at_once_and_each_is_its_own(shared):
    ids, until = naps(shared, range(95))
    few, _ = naps(shared, range(95, 101), "nap-of-few")
    overdue, canceled = naps(shared, ["late"], max_duration=1)[0] + naps(shared, ["gone"])[0]
    eventually(lambda: shared.entered(overdue) and shared.entered(canceled))
    eventually(lambda: len([n for n in shared.notes() if n["what"] == "enter"]) >= 100)

    lifecycle.cancel(canceled, actor="user:test")
    assert shared.ended(canceled).status == RunStatus.CANCELED
    assert shared.ended(overdue).status == RunStatus.TIMED_OUT
    until.touch()
    hog = shared.completed(shared.trigger("hog", {"seconds": 0.7}))
    eventually(
        LogLine.objects.filter(run_id=hog.pk, message__contains="held the event loop").exists
    )
    for name, run_id in enumerate(ids + few):
        assert shared.completed(run_id).output == str(name)
    lines = LogLine.objects.filter(run_id__in=ids + few, logger="stdout")
    eventually(lambda: lines.count() == 101)
    assert set(lines.values_list("run_id", "message")) == {
        (run_id, f"naps {name}") for name, run_id in enumerate(ids + few)
    }

    notes = shared.notes()
    assert len({note["pid"] for note in notes}) == 1
    inside = [note for note in notes if note["run"] in ids]
    entered = max(note["tick"] for note in inside if note["what"] == "enter")
    assert entered < min(note["tick"] for note in inside if note["what"] == "exit")
    assert sorted(n["run"] for n in notes if n["what"] == "hook") == sorted(ids + few)
    assert all(n["thread_of"] == n["run"] for n in notes if n["what"] == "hook")
    invariants.never_above(shared, "few-naps", 3)


def test_who_kills_the_process_pays_and_the_others_are_handed_back(shared):
    ids, until = naps(shared, range(5))
    eventually(lambda: all(shared.entered(run_id) for run_id in ids))
    killer = shared.trigger("nap-killer")
    assert shared.ended(killer).status == RunStatus.CRASHED
    eventually(lambda: all(len(shared.entered(run_id)) == 2 for run_id in ids))
    until.touch()
    for run_id in ids:
        run = shared.completed(run_id)
        assert (run.attempt_number, run.uncounted_attempts, run.crash_count) == (2, 1, 0)
