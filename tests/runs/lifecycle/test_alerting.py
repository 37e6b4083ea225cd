"""What rules see, and how it is told."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.errors import InvalidOption
from runs.lifecycle import alerting, alerts
from runs.lifecycle.alerts import Watched
from runs.models import (
    AlertDelivery,
    AlertHit,
    AlertMark,
    AlertRule,
    AuditLog,
    Depth,
    ErrorEvent,
    Run,
    Schedule,
    ScheduleTick,
    WorkerSession,
)
from tests.support import rows
from tests.support.failing import group_of

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.example.com/x/SECRET"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(alerting, "GRACE", timedelta())


@pytest.fixture
def channel():
    return alerts.save_channel("ops", "slack", HOOK, actor="user:ada")


def rule(channel, kind="status", **facts):
    facts = {"statuses": ["FAILED"]} | facts if kind == "status" else facts
    made = alerts.save_rule(kind, Watched(kind, **facts), channels=[channel.pk], actor="user:ada")
    alerting.watch()  # from now on
    return made


def told():
    return [one.told for one in AlertDelivery.objects.order_by("pk")]


def later():
    """A minute after the last message."""
    AlertRule.objects.update(sent_at=timezone.now() - timedelta(seconds=61))


def test_a_failed_run_is_told_once_by_a_run_of_ours(channel):
    rule(channel)
    run = rows.failed_run()
    rows.completed_run()
    alerting.watch()
    alerting.watch()
    (message,) = told()
    assert message["title"] == "status"
    assert message["items"] == [{"text": "hello failed: DeliveryError: mailbox is full", "path": f"/runs/{run.pk}"}]  # fmt: skip
    later()
    alerting.watch()
    assert len(told()) == 1
    made = Run.objects.get(task_id=alerts.TASK)
    assert json.loads(made.payload) == {"delivery": AlertDelivery.objects.get().pk}


@pytest.mark.parametrize(
    ("facts", "seen"),
    [
        ({"statuses": ["COMPLETED"]}, 1),
        ({"statuses": ["COMPLETED", "FAILED"]}, 2),
        ({"task_id": "hello"}, 1),
        ({"task_id": "other"}, 0),
    ],
)
def test_any_status_and_one_task_or_all(channel, facts, seen):
    rule(channel, **facts)
    rows.failed_run()
    rows.completed_run()
    alerting.watch()
    assert sum(message["count"] for message in told()) == seen


def test_a_storm_is_one_message_a_minute(channel):
    rule(channel)
    for _ in range(2):
        rows.failed_run()
        alerting.watch()
    for _ in range(alerting.NAMED + 1):
        rows.failed_run()
    alerting.watch()
    assert [message["count"] for message in told()] == [1]
    later()
    alerting.watch()
    assert [message["count"] for message in told()] == [1, alerting.NAMED + 2]
    assert len(told()[1]["items"]) == alerting.NAMED


def test_what_was_before_the_rule_is_not_told(channel):
    rows.failed_run()
    rule(channel)
    alerting.watch()
    assert not told()


def test_our_own_runs_alarm_nobody(channel):
    rule(channel)
    rows.failed_run(alerts.TASK)
    alerting.watch()
    assert not told()


def test_what_is_redacted_is_masked(channel):
    rule(channel)
    rows.failed_run(error='{"name": "E", "message": "password=hunter2"}')
    alerting.watch()
    assert told()[0]["items"][0]["text"] == "hello failed: E: password=[redacted]"


def test_errors_new_and_come_back(channel):
    rule(channel, "new_error")
    rule(channel, "regressed")
    group = group_of(rows.failed_run())
    alerting.watch()
    assert [message["title"] for message in told()] == ["new_error"]
    ErrorEvent.objects.create(fingerprint=group.pk, kind="regressed", at=timezone.now())
    alerting.watch()
    assert [message["title"] for message in told()] == ["new_error", "regressed"]
    assert told()[1]["items"][0]["path"] == f"/errors/{group.pk}"


@pytest.mark.parametrize(("kind", "column"), [("backlog", "queued"), ("oldest", "oldest")])
def test_a_full_queue_is_told_when_it_begins_and_when_it_is_over(channel, kind, column):
    rule(channel, kind, threshold=5)
    now = timezone.now()

    def sample(minute, value):
        for queue in ("", "mail"):
            at = now + timedelta(minutes=minute)
            Depth.objects.create(queue=queue, at=at, **{column: value})
        alerting.watch()
        later()
        return [message["items"][0]["text"] for message in told()]

    assert not sample(0, 5)
    assert len(sample(1, 6)) == 1
    assert len(sample(2, 7)) == 1
    assert sample(3, 0)[1] == "mail is fine again"
    assert len(sample(4, 9)) == 3


def test_a_missed_fire_and_a_lost_cluster(channel):
    rule(channel, "missed")
    rule(channel, "worker_gone")
    rows.make_task()
    now = timezone.now()
    schedule = Schedule.objects.create(id="sched_1", task_id="hello", cron="* * * * *", created_at=now, updated_at=now)  # fmt: skip
    ScheduleTick.objects.create(schedule=schedule, at=now, until=now, outcome="missed", recorded_at=now)  # fmt: skip
    rows.make_session()
    WorkerSession.objects.update(state="DEAD", stopped_at=timezone.now())
    alerting.watch()
    alerting.watch()
    assert sorted(message["title"] for message in told()) == ["missed", "worker_gone"]


def test_one_cluster_looks_at_a_time(channel):
    rule(channel)
    rows.failed_run()
    AlertMark.objects.update(taken_until=timezone.now() + timedelta(seconds=9))
    alerting.watch()
    assert not told()


def test_off_is_off(channel):
    made = rule(channel)
    alerts.save_rule("status", Watched("status", ["FAILED"]), channels=[channel.pk], active=False, actor="a", pk=made.pk)  # fmt: skip
    rows.failed_run()
    assert alerting.watch() == 0


def test_old_hits_and_deliveries_go(channel):
    rule(channel)
    rows.failed_run()
    alerting.watch()
    AlertHit.objects.update(at=timezone.now() - alerting.KEPT)
    AlertDelivery.objects.update(at=timezone.now() - alerting.KEPT - timedelta(1))
    assert alerting.prune() == 2


@pytest.mark.parametrize(
    ("facts", "option"),
    [
        ({"kind": "email", "address": "nobody"}, "address"),
        ({"kind": "email", "address": "a@b.c\nBcc: d@e.f"}, "address"),
        ({"kind": "slack", "address": "ftp://x"}, "address"),
        ({"kind": "slack", "address": "https://u:p@x"}, "address"),
        ({"kind": "webhook", "address": "https://x", "secret": "short"}, "secret"),
        ({"kind": "fax", "address": "1"}, "kind"),
        ({"kind": "slack", "address": "https://x", "name": " "}, "name"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(db, facts, option):
    with pytest.raises(InvalidOption) as refused:
        alerts.save_channel(facts.pop("name", "n"), **facts, actor="a")
    assert refused.value.option == option


def test_secrets_are_encrypted_and_kept(channel):
    assert "SECRET" not in channel.secret + channel.shown
    assert "SECRET" not in str(list(AuditLog.objects.values()))
    changed = alerts.save_channel("ops2", "slack", "", actor="a", pk=channel.pk)
    assert alerts.secrets(changed)["address"] == HOOK


@pytest.mark.parametrize(
    ("watched", "option"),
    [
        (Watched("status"), "statuses"),
        (Watched("backlog"), "threshold"),
        (Watched("never"), "kind"),
        (Watched("missed"), "channels"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(channel, watched, option):
    chosen = [] if option == "channels" else [channel.pk]
    with pytest.raises(InvalidOption) as refused:
        alerts.save_rule("r", watched, channels=chosen, actor="a")
    assert refused.value.option == option
