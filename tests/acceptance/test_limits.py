"""Rates and overlap on real clusters."""

from itertools import pairwise

import pytest
from django.db.models import Min

from runs.models import Event, Run
from runs.states import RunStatus
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance


def starts(run_ids):
    """When each of these runs was given to a worker, oldest first."""
    events = Event.objects.filter(run_id__in=run_ids, kind__in=["dequeued", "started"])
    return sorted(events.values("run_id").annotate(at=Min("at")).values_list("at", flat=True))


def test_two_clusters_start_no_more_than_the_rate_allows(site):
    clusters = [site.launch(1), site.launch(1)]
    eventually(lambda: all(site.is_ready(one, 1) for one in clusters), within=30)
    runs = site.trigger_many("paced", list(range(31)))
    others = site.trigger_many("work", [{}] * 20)
    eventually(lambda: not Run.objects.filter(pk__in=runs, finished_at=None).exists())
    found = starts(runs)
    for at in found:
        assert sum(0 <= (one - at).total_seconds() < 1 for one in found) <= 20
    assert min((b - a).total_seconds() for a, b in pairwise(found)) >= 0.05
    # 30 spaces of 0.05 s each; by polling alone it would be one in half a second
    assert (found[-1] - found[0]).total_seconds() < 5
    assert max(starts(others)) < found[-1]


def test_a_later_trigger_takes_the_place_of_a_run(calm):
    first, _ = calm.hold("newest")
    second, until = calm.hold("newest")
    old = calm.ended(first)
    assert (old.status, old.reason) == (
        RunStatus.CANCELED,
        "A later trigger of its task took its place.",
    )
    assert old.finished_at <= calm.run(second).started_at
    until.touch()
    assert calm.completed(second).attempt_number == 1


def test_machines_never_ask_for_more_than_the_cluster_has(site):
    """Gigabytes: three ordinary runs have 1.5, a large one 4."""
    site.cluster(3, TRACKSIDE_CAPACITY_MEMORY="4.5")
    asks = dict.fromkeys(site.trigger_many("work", [{"seconds": 0.02}] * 20), 0.5)
    asks |= dict.fromkeys(
        site.trigger_many("work", [{"seconds": 0.2}] * 2, machine="medium-2x"), 4.0
    )
    asks |= dict.fromkeys(site.trigger_many("work", [{"seconds": 0.02}] * 20), 0.5)
    eventually(lambda: not Run.objects.filter(pk__in=asks, finished_at=None).exists())
    used = most = 0.0
    for note in sorted(site.notes(), key=lambda note: note["tick"]):
        used += asks[note["run"]] * (1 if note["what"] == "enter" else -1)
        most = max(most, used)
    assert 4.0 <= most <= 4.5
