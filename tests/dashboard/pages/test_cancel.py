from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import AuditLog, Run
from tests.support.rows import completed_run, executing_run, queued_run

pytestmark = pytest.mark.django_db


def test_cancels_a_queued_run(operator):
    run = queued_run()
    response = operator.post(f"/runs/{run.id}/cancel", {"reason": "wrong customer", "do": "now"})
    assert (response.status_code, response["Location"]) == (303, f"/runs/{run.id}")
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.reason) == ("CANCELED", "wrong customer")
    assert AuditLog.objects.get(action="run.cancel").actor == "user:otto"


def test_asks_an_executing_run_to_stop(operator):
    run, _ = executing_run()
    page = operator.post(f"/runs/{run.id}/cancel", {"do": "now"}, follow=True).content.decode()
    assert "Asked the run to stop" in page
    assert "Canceling" in page


def test_tells_when_a_body_that_does_not_stop_is_killed(operator):
    run, _ = executing_run()
    assert b"after 30 s is killed" in operator.get(f"/runs/{run.id}/cancel").content
    page = operator.post(f"/runs/{run.id}/cancel", {"do": "now"}, follow=True).content.decode()
    assert "its process is killed." in page
    asked = Run.objects.get(pk=run.pk).cancel_requested_at
    assert f'datetime="{asked + timedelta(seconds=30):%Y-%m-%dT%H:%M:%S}' in page


def test_tells_that_the_grace_is_over(operator):
    run, _ = executing_run()
    operator.post(f"/runs/{run.id}/cancel", {"do": "now"})
    before = operator.get(f"/runs/{run.id}").content
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=timezone.now() - timedelta(minutes=1))
    assert b"its process is killed now" in operator.get(f"/runs/{run.id}").content
    assert b"its process is killed now" not in before


def test_tells_what_will_happen_first(operator):
    assert b"does not start any more" in operator.get(f"/runs/{queued_run().id}/cancel").content
    page = operator.get(f"/runs/{executing_run()[0].id}/cancel").content
    assert b"keeps its slot" in page


def test_a_run_that_ended_meanwhile_is_a_conflict(operator):
    run = completed_run()
    response = operator.post(f"/runs/{run.id}/cancel")
    assert response.status_code == 409
    assert b"has ended in the meantime" in response.content
    assert b"Completed" in response.content


def test_twice_is_a_conflict_too(operator):
    run, _ = executing_run()
    operator.post(f"/runs/{run.id}/cancel", {"do": "now"})
    assert operator.post(f"/runs/{run.id}/cancel").status_code == 409


def test_a_viewer_may_not(viewer):
    run = queued_run()
    assert viewer.post(f"/runs/{run.id}/cancel").status_code == 403
    assert b"aria-disabled" in viewer.get(f"/runs/{run.id}/cancel").content
    assert Run.objects.get(pk=run.pk).status == "QUEUED"


def test_hostile_reasons_are_inert(operator):
    run = queued_run()
    operator.post(
        f"/runs/{run.id}/cancel", {"reason": "\x00<script>alert(1)</script>", "do": "now"}
    )
    assert b"<script>alert" not in operator.get(f"/runs/{run.id}").content


def test_only_looks_and_posts(operator):
    assert operator.put(f"/runs/{queued_run().id}/cancel").status_code == 405
