import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from engine.maintenance.pruner import Pruner
from runs.errors import InvalidOption
from runs.lifecycle import ages
from runs.models import Run
from runs.states import RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def old(aged):
    """Two completed and a failed run of ten days ago, one of now."""
    factories.task()
    aged(factories.ended_run(), days=10)
    aged(factories.ended_run(), days=10)
    aged(factories.ended_run(RunStatus.FAILED), days=10)
    factories.ended_run()


@pytest.fixture
def aged():
    def age(run, days):
        then = timezone.now() - timedelta(days=days)
        Run.objects.filter(pk=run.pk).update(created_at=then, finished_at=then)
        return run

    return age


def call(*arguments):
    out, err = StringIO(), StringIO()
    call_command("retention", *arguments, stdout=out, stderr=err)
    return out.getvalue()


def going(*arguments):
    told = map(json.loads, call("preview", "--json", *arguments).splitlines())
    return {
        one["status"]: (one["runs"], one["old"], one["would_go"]) for one in told if one["runs"]
    }


def test_by_itself_everything_stays():
    assert "for ever" in call("preview")
    assert going() == {"COMPLETED": (3, 0, 0), "FAILED": (1, 0, 0)}
    assert call("export") == ""


def test_tells_what_the_settings_would_remove(settings):
    settings.TRACKSIDE = {"RUN_RETENTION_DAYS": 30, "STATUS_RETENTION_DAYS": {"completed": 7}}
    assert going() == {"COMPLETED": (3, 2, 2), "FAILED": (1, 0, 0)}
    assert "2 runs would go now." in call("preview")


def test_other_days_can_be_tried(settings):
    settings.TRACKSIDE = {"STATUS_RETENTION_DAYS": {"COMPLETED": 7}}
    assert going("--days", "5") == {"COMPLETED": (3, 2, 2), "FAILED": (1, 1, 1)}
    assert going("--status", "failed=5") == {"COMPLETED": (3, 2, 2), "FAILED": (1, 1, 1)}
    assert going("--days", "0", "--status", "failed=5")["COMPLETED"] == (3, 0, 0)
    with pytest.raises(CommandError, match="STATUS=DAYS"):
        call("preview", "--status", "queued=1")


def test_what_something_open_refers_to_stays_and_is_told():
    parent = Run.objects.filter(status="COMPLETED").first()
    factories.queued_run(parent_id=parent.pk)
    assert going("--days", "5")["COMPLETED"] == (3, 2, 1)
    assert "1 old ones stay" in call("preview", "--days", "5")


def test_an_export_has_the_runs_with_their_documents():
    told = [json.loads(line) for line in call("export", "--status", "completed=5").splitlines()]
    wanted = Run.objects.filter(status="COMPLETED").order_by("id")[:2]
    assert [one["id"] for one in told] == [run.pk for run in wanted]
    assert told[0]["output"] == "done"


def test_the_pruner_keeps_each_status_for_its_own_time(settings, monkeypatch):
    settings.TRACKSIDE = {"RUN_RETENTION_DAYS": 0, "STATUS_RETENTION_DAYS": {"FAILED": 7}}
    monkeypatch.setattr("runs.lifecycle.retention.floor_id", lambda kind, moment: "run_zzz")
    assert Pruner().prune() == 1
    assert set(Run.objects.values_list("status", flat=True)) == {"COMPLETED"}
    assert Run.objects.count() == 3


@pytest.mark.parametrize(
    "wrong", [{"QUEUED": 1}, {"FAILED": -1}, {"FAILED": "x"}, {"FAILED": True}]
)
def test_odd_days_are_refused(wrong):
    with pytest.raises(InvalidOption):
        ages.days(wrong)
