"""Final hooks fire whatever becomes of the process of the run."""

import os
import signal

import pytest

from runs import lifecycle
from runs.models import Event, FinalHooks
from runs.states import RunStatus
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance


def called(site, run_id):
    hooks = [n for n in site.notes() if n["run"] == run_id and n["what"].startswith("on_")]
    return [(note["what"], note["pid"]) for note in hooks]


def test_they_are_called_elsewhere_after_the_worker_was_killed(site):
    cluster = site.cluster(workers=2)
    run_id, _ = site.hold("concluded")
    victim = site.entered(run_id)[0]["pid"]
    os.kill(victim, signal.SIGKILL)
    assert site.ended(run_id).status == RunStatus.CRASHED
    eventually(lambda: not FinalHooks.objects.exists())
    assert [what for what, _ in called(site, run_id)] == ["on_failure", "on_complete"]
    assert {pid for _, pid in called(site, run_id)} & {victim} == set()
    assert Event.objects.filter(run_id=run_id).last().kind == "hooks_ran"

    # and they outlive all clusters
    held = [site.hold("concluded") for _ in range(2)]
    waiting = site.trigger("concluded", {"until": "never"})
    cluster.send(signal.SIGKILL)
    lifecycle.cancel(waiting, actor="user:ada", reason="Not needed.")
    assert FinalHooks.objects.count() == 1
    for _, until in held:
        until.touch()
    site.cluster()
    eventually(lambda: not FinalHooks.objects.exists())
    assert [what for what, _ in called(site, waiting)] == ["on_cancel", "on_complete"]


def test_on_cancel_has_its_grace_and_another_worker_the_rest(site):
    site.cluster(workers=2, TRACKSIDE_CANCEL_GRACE_SECONDS="1")
    in_time = hold(site, 0.3)
    late = hold(site, 2.0)
    for run_id in (in_time, late):
        lifecycle.cancel(run_id, actor="user:ada")
    for run_id in (in_time, late):
        assert site.ended(run_id).status == RunStatus.CANCELED
    eventually(lambda: not FinalHooks.objects.exists() and "on_cancel" in whats(site, late))
    assert whats(site, in_time) == ["on_cancel begins", "on_cancel"]
    assert {pid for _, pid in called(site, in_time)} == {site.entered(in_time)[0]["pid"]}
    assert whats(site, late) == ["on_cancel begins", "on_cancel begins", "on_cancel"]
    first, again, last = [pid for _, pid in called(site, late)]
    assert (first, again) == (site.entered(late)[0]["pid"], last)
    assert first != last
    kinds = Event.objects.filter(run_id=late).values_list("kind", flat=True)
    assert list(kinds)[-2:] == ["canceled", "hooks_ran"]


def whats(site, run_id):
    return [what for what, _ in called(site, run_id)]


def hold(site, seconds):
    run_id = site.trigger("slow-to-cancel", {"seconds": seconds})
    eventually(lambda: site.entered(run_id))
    return run_id
