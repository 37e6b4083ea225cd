"""Many runs at once by the reference's client; the cluster does the work in the background."""

import pytest

from runs.models import Run
from runs.states import RunStatus

pytestmark = pytest.mark.acceptance


def test_runs_are_canceled_and_replayed_in_the_background(js, calm):
    delayed = calm.trigger_many("work", [1, 2, 3], delay=3600.0, tags=("bulk",))
    canceled = js("bulk.cancelSince", "bulk")["id"]
    done = js("bulk.poll", canceled)
    assert (done["type"], done["status"]) == ("CANCEL", "COMPLETED")
    assert done["counts"] == {"total": 3, "success": 3, "failure": 0}
    assert js("runs.list", {"bulkAction": canceled})["ids"] == delayed[::-1]

    replayed = js("bulk.replay", {"runIds": delayed[:2], "name": "again"})["id"]
    done = js("bulk.poll", replayed)
    assert (done["name"], done["counts"]["success"]) == ("again", 2)
    runs = Run.objects.filter(replayed_from_id__in=delayed)
    calm.accepted += [run.pk for run in runs]
    assert all(calm.ended(run.pk).replayed_from_id for run in runs)
    assert js("bulk.list", {"limit": 1})[:2] == [replayed, canceled]
    assert js("bulk.abort", canceled) == {"id": canceled}
    assert js("bulk.retrieve", canceled)["status"] == "COMPLETED"
    assert Run.objects.filter(pk__in=delayed, status=RunStatus.CANCELED).count() == 3
