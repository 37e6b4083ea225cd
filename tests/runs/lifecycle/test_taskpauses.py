"""Pausing one task, on both databases."""

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import NotFound
from runs.lifecycle import fleet, versions
from runs.models import AuditLog, Ready, Run, Task
from runs.reads import gates
from tests.support.factories import claim, session, task, trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster():
    task("send"), task("other")
    return session(version="v1", tasks=["send", "other"])


def claimed(by, slots=5):
    """What a dispatcher gets: it claims, promotes what is due, and claims again."""
    found = claim(by, slots)
    lifecycle.promote_due()
    return [one.run_id for one in found + claim(by, slots)]


def test_its_runs_wait_and_others_start(cluster):
    kept, other = trigger("send"), trigger("other")
    lifecycle.pause_task("send", actor="user:ada", reason="the mail server is down")
    late = trigger("send")
    assert claimed(cluster) == [other.pk]
    versions.release_pins()
    assert claimed(cluster) == []
    pins = set(Ready.objects.filter(pk__in=[kept.pk, late.pk]).values_list("pin", flat=True))
    assert pins == {fleet.pause_pin("send")}
    (shut,) = [one for one in gates.gates(kept, timezone.now()) if one.name == "task"]
    assert shut.sentence == "Task send is paused by ada: the mail server is down"


def test_they_go_on_in_their_order(cluster):
    runs = [trigger("send").pk for _ in range(3)]
    lifecycle.pause_task("send", actor="")
    assert claimed(cluster) == []
    lifecycle.resume_task("send", actor="")
    assert versions.release_pins() == 3
    assert claimed(cluster) == runs
    assert not fleet.living().exclude(lacking="").exists()


def test_what_joins_later_follows(cluster):
    lifecycle.pause_task("send", actor="")
    new = session(version="v2", tasks=["send", "other"])
    trigger("send")
    assert claimed(new) == []


def test_twice_is_once_and_both_are_on_record(cluster):
    for _ in range(2):
        lifecycle.pause_task("send", actor="user:ada")
    for _ in range(2):
        lifecycle.resume_task("send", actor="user:ada")
    assert Task.objects.get(pk="send").paused_at is None
    verbs = AuditLog.objects.filter(target="send").values_list("action", flat=True)
    assert sorted(verbs) == ["task.pause", "task.resume"]
    for name in ("gone", "\x00"):
        with pytest.raises(NotFound):
            lifecycle.pause_task(name, actor="")


def test_a_registration_leaves_it_paused(cluster):
    lifecycle.pause_task("send", actor="")
    fleet.register(cluster.pk, "v1", ["send", "other", "third"])
    assert "\nsend\n" in fleet.living().get().lacking
    assert Run.objects.count() == 0
