"""Rules about one error, about a view, and the end of a bulk action."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import alerthits, alerting, alerts
from runs.lifecycle.alerts import Watched
from runs.lifecycle.bulkoptions import BulkOptions
from runs.lifecycle.counting import count_failures
from runs.models import AlertDelivery, AlertRule, BulkAction, BulkKind, ErrorGroup
from tests.support import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(monkeypatch):
    monkeypatch.setattr(alerthits, "PAUSE", timedelta())
    return alerts.save_channel("ops", "email", "ops@example.com", actor="user:ada")


def rule(channel, kind, **facts):
    made = alerts.save_rule(kind, Watched(kind, **facts), channels=[channel.pk], actor="user:ada")
    alerting.watch()  # from now on
    return made


def told():
    """The lines of every message since the last look at them."""
    AlertRule.objects.update(sent_at=timezone.now() - timedelta(seconds=61))
    alerting.watch()
    found = [
        one["text"] for row in AlertDelivery.objects.order_by("pk") for one in row.told["items"]
    ]
    AlertDelivery.objects.all().delete()
    return found


def failed():
    run = rows.failed_run()
    count_failures()
    return run


def test_one_error_each_time(channel):
    failed()
    rule(channel, "failed_so", fingerprint=ErrorGroup.objects.get().pk)
    assert told() == []
    failed(), failed()
    assert told() == ["hello, DeliveryError: mailbox is full: failed again, 2 times"]
    assert told() == []


def test_one_error_when_it_is_too_much(channel):
    failed()
    made = rule(channel, "failed_so", fingerprint=ErrorGroup.objects.get().pk, threshold=1)
    assert told() == []
    failed()
    name = "hello, DeliveryError: mailbox is full"
    assert told() == [f"{name}: failed more than 1 times within an hour"]
    assert told() == []
    AlertRule.objects.filter(pk=made.pk).update(threshold=5)
    assert told() == [f"{name}: fine again"]


def test_runs_that_come_into_a_view(channel):
    failed()
    rule(channel, "in_view", selection={"status": ["FAILED"], "within": 3600.0})
    assert told() == []
    run, _ = rows.failed_run(), rows.completed_run()
    assert told() == ["hello failed: DeliveryError: mailbox is full"]
    assert told() == []
    assert run.status == "FAILED"


def test_too_many_in_a_view(channel):
    rule(channel, "in_view", selection={"query": "task:hello", "within": None}, threshold=1)
    rows.queued_run()
    assert told() == []
    rows.queued_run()
    assert told() == ["in_view: more than 1 run"]


def test_a_rule_follows_its_view(channel):
    row = lifecycle.save_view("Mine", "", owner="user:ada")
    made = rule(channel, "in_view", view=row.pk, selection={"task": ["a"], "within": 60})
    alerts.follow_view(row.pk, {"task": ["b"], "within": 60})
    made.refresh_from_db()
    assert '"b"' in made.selection
    lifecycle.delete_view(row.pk, actor="user:ada")
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize(
    ("watched", "option"),
    [
        (Watched("failed_so", fingerprint="none"), "fingerprint"),
        (Watched("in_view"), "view"),
        (Watched("in_view", selection={}, threshold=-1), "threshold"),
    ],
)
def test_what_a_rule_lacks_is_said(channel, watched, option):
    with pytest.raises(InvalidOption) as refused:
        alerts.save_rule("x", watched, channels=[channel.pk], actor="a")
    assert refused.value.option == option


def test_the_end_of_a_bulk_action_is_told(channel):
    run = rows.queued_run()
    lifecycle.begin_bulk(BulkKind.CANCEL, [run.pk], actor="user:ada", notify=channel)
    while lifecycle.go_on_in_bulk():
        continue
    (message,) = [one.told for one in AlertDelivery.objects.all()]
    assert message["title"] == "Cancel 1 run: ended"
    assert message["items"][0]["text"] == "1 done, 0 not"


def test_so_is_one_that_stops_by_itself(channel):
    run = rows.failed_run()
    options = BulkOptions(canary=1)
    lifecycle.begin_bulk(BulkKind.REPLAY, [run.pk], actor="a", options=options, notify=channel)
    lifecycle.go_on_in_bulk()
    made = BulkAction.objects.get()
    replay = rows.Run.objects.exclude(pk=run.pk).exclude(task_id=alerts.TASK).get()
    lifecycle.cancel(replay.pk, actor="a")
    lifecycle.go_on_in_bulk()
    made.refresh_from_db()
    assert made.status == "PAUSED"
    assert AlertDelivery.objects.get().told["title"].endswith("is paused")
