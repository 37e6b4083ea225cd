"""Retention and Limits on their pages."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from engine.maintenance.pruner import Pruner
from runs.lifecycle import keeping
from runs.models import AuditLog, Pin, RetentionRule, Run
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import completed_run, failed_run, make_queue, make_user

pytestmark = pytest.mark.django_db
PAGE = "/settings/retention"


def aged(run, days=40):
    """The run as if it had been made and ended long ago."""
    past = timezone.now() - timedelta(days=days)
    Run.objects.filter(pk=run.pk).update(finished_at=past)
    return run


def days(**changed):
    return {status: f"{count:g}" for status, count in keeping.in_force().items()} | changed


def test_a_preview_changes_nothing(administrator):
    aged(completed_run(output='"' + "x" * 5000 + '"'))
    completed_run()
    answer = administrator.get(PAGE, days(COMPLETED="30"))
    row = next(row for _, field, row, _ in answer.context["rows"] if field.name == "COMPLETED")
    assert (str(row.now), str(row.soon)) == ("1", "0")
    assert 5000 < row.size < 6000
    assert "Not saved yet" in answer.content.decode()
    assert not RetentionRule.objects.exists()
    soon = administrator.get(PAGE, days(COMPLETED="41"))
    row = next(row for _, field, row, _ in soon.context["rows"] if field.name == "COMPLETED")
    assert (str(row.now), str(row.soon)) == ("0", "1")


def test_what_is_saved_is_followed_and_on_record(administrator, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "RUN_RETENTION_DAYS": 90}
    answer = administrator.post(PAGE, days(FAILED="30") | {"reason": "disk"})
    assert answer.status_code == 303
    assert RetentionRule.objects.get().pk == "FAILED"
    assert keeping.in_force()["FAILED"] == 30
    assert keeping.in_force()["COMPLETED"] == 90
    entry = AuditLog.objects.get()
    assert (entry.action, entry.reason) == ("retention.change", "disk")
    assert json.loads(entry.data) == {"old": {"FAILED": 90.0}, "new": {"FAILED": 30.0}}
    administrator.post(PAGE, days(FAILED="90"))
    assert not RetentionRule.objects.exists()


@pytest.mark.parametrize("wrong", ["-1", "x", "99999999", "nan", ""])
def test_days_that_cannot_be_are_refused(administrator, wrong):
    assert administrator.post(PAGE, days(FAILED=wrong)).status_code == 422
    assert administrator.get(PAGE, days(FAILED=wrong)).status_code == 400
    assert not RetentionRule.objects.exists()


def test_a_pinned_run_stays(administrator, operator, viewer, monkeypatch):
    kept, gone = aged(completed_run()), aged(failed_run())
    keeping.change({"COMPLETED": 30, "FAILED": 30}, actor="a")
    assert viewer.post(f"/runs/{kept.pk}/pin").status_code == 403
    assert operator.post(f"/runs/{kept.pk}/pin", {"reason": "court"}).status_code == 303
    assert "court" in viewer.get(f"/runs/{kept.pk}?tab=detail").content.decode()
    assert "Pin this run" in operator.get(f"/runs/{gone.pk}?tab=detail").content.decode()
    monkeypatch.setattr("runs.lifecycle.retention.floor_id", lambda *_: "run_zzzz")
    Pruner().prune()
    assert set(Run.objects.values_list("pk", flat=True)) == {kept.pk}
    operator.post(f"/runs/{kept.pk}/pin", {"act": "unpin"})
    assert not Pin.objects.exists()
    Pruner().prune()
    assert not Run.objects.exists()
    assert operator.post("/runs/run_1/pin").status_code == 404
    verbs = (
        AuditLog.objects.exclude(action="access.refused")
        .order_by("id")
        .values_list("action", flat=True)
    )
    assert list(verbs) == ["retention.change", "run.pin", "run.unpin"]


def test_what_would_go_is_downloaded_masked(administrator):
    run = aged(completed_run(payload='{"password": "hunter2", "n": 1}'))
    completed_run()
    keeping.change({"COMPLETED": 30}, actor="a")
    answer = administrator.get(f"{PAGE}/export.jsonl")
    (line,) = answer.getvalue().decode().splitlines()
    told = json.loads(line)
    assert (told["id"], told["payload"]) == (run.pk, {"password": "[redacted]", "n": 1})
    blind = client_of(make_user("bob", "change_queue"))
    assert blind.get(f"{PAGE}/export.jsonl").status_code == 403


def test_limits_are_told_to_everybody(viewer, administrator, operator):
    make_queue("mail", concurrency_limit=2, rate_limit="5/1m")
    text = viewer.get("/settings/limits").content.decode()
    assert "3.0 MB" in text
    assert "PAYLOAD_LIMIT" in text
    assert "mail" in text
    assert administrator.get("/settings/limits").status_code == 200
    assert viewer.get(PAGE).status_code == 403
    assert operator.get(f"{PAGE}/export.jsonl").status_code == 403
    assert viewer.get("/settings").headers["location"] == "/settings/limits"
