"""Alerts on their pages and in a shell."""

import html
import json
import re

import pytest
from django.core.management import call_command

from runs.lifecycle import alerts
from runs.lifecycle.counting import count_failures
from runs.models import (
    AlertChannel,
    AlertDelivery,
    AlertRule,
    AuditLog,
    ErrorGroup,
    SavedView,
)
from tests.support.rows import failed_run

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.example.com/x/SECRET"


@pytest.fixture
def channel(db):
    return alerts.save_channel("ops", "slack", HOOK, actor="user:ada")


def post(client, path, **sent):
    return client.post(f"/settings/alerts{path}", sent)


def test_a_channel_and_a_rule_by_forms(administrator):
    assert "Nobody is told yet" in administrator.get("/settings/alerts").content.decode()
    sent = {"name": "ops", "kind": "slack", "address": HOOK, "active": "on"}
    assert post(administrator, "/channels/new", **sent).status_code == 303
    channel = AlertChannel.objects.get()
    rule = {"name": "Failing", "kind": "status", "statuses": ["FAILED"], "channels": [channel.pk], "active": "on"}  # fmt: skip
    assert post(administrator, "/rules/new", **rule).status_code == 303
    text = administrator.get("/settings/alerts").content.decode()
    assert "A run of any task ended: failed" in text
    assert "SECRET" not in text
    form = administrator.get(f"/settings/alerts/channels/{channel.pk}").content.decode()
    assert "SECRET" not in form
    post(administrator, f"/channels/{channel.pk}", name="ops", kind="slack", address="")
    channel.refresh_from_db()
    assert (channel.active, alerts.secrets(channel)["address"]) == (False, HOOK)
    made = AlertRule.objects.get()
    page = administrator.get(f"/settings/alerts/rules/{made.pk}").content.decode()
    assert 'value="Failing"' in page


@pytest.mark.parametrize(
    ("path", "sent", "said"),
    [
        ("/channels/new", {"name": "x", "kind": "slack", "address": "nope"}, "An address like"),
        ("/channels/new", {"name": "ops", "kind": "slack", "address": HOOK}, "one named “ops”"),
        ("/rules/new", {"name": "x", "kind": "backlog", "channels": ["1"]}, ""),
        ("/rules/new", {"name": "x", "kind": "status"}, "required"),
    ],
)
def test_what_cannot_be_is_refused_with_the_form(administrator, channel, path, sent, said):
    answer = post(administrator, path, **sent)
    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_a_test_shows_in_the_log_and_is_sent_again_where_it_failed(administrator, channel):
    post(administrator, f"/channels/{channel.pk}/test")
    delivery = AlertDelivery.objects.get()
    text = administrator.get("/settings/alerts").content.decode()
    assert "Test of “ops”" in text
    assert f'href="/runs/{delivery.run_id}"' in text
    assert "Send again" not in text
    alerts.note(delivery, "failed", "hooks.example.com answered 500.")
    text = administrator.get("/settings/alerts").content.decode()
    assert "answered 500" in text
    post(administrator, f"/log/{delivery.pk}/again")
    assert AlertDelivery.objects.count() == 2
    token = administrator.get("/settings/alerts").context["token"]
    tick = administrator.get(f"/settings/alerts?v={token}", headers={"HX-Request": "true"})
    assert tick.status_code == 204
    post(administrator, f"/log/{AlertDelivery.objects.first().pk}/again")
    assert AlertDelivery.objects.count() == 2


def test_deleting_asks_first(administrator, channel):
    page = f"/channel/{channel.pk}/delete"
    assert administrator.get(f"/settings/alerts{page}").status_code == 200
    assert AlertChannel.objects.exists()
    post(administrator, page)
    assert not AlertChannel.objects.exists()
    assert AuditLog.objects.get(action="alert.delete").actor == "user:ada"


@pytest.mark.parametrize("path", ["", "/channels/new", "/rules/new", "/channels/1", "/rule/1/delete"])  # fmt: skip
def test_only_admins(operator, administrator, path):
    assert operator.get(f"/settings/alerts{path}").status_code == 403
    assert administrator.get(f"/settings/alerts{path}").status_code in (200, 404)


def test_the_same_in_a_shell(db, capsys, monkeypatch):
    monkeypatch.setenv("ALERT_SECRET", "s" * 20)
    call_command("alerts", "channel", "desk", "--webhook", "https://desk.example.com/hook")
    call_command("alerts", "rule", "Piles up", "--when", "backlog", "--over", "9", "--to", "desk")
    call_command("alerts", "test", "desk")
    call_command("alerts", "list")
    call_command("alerts", "log")
    said = capsys.readouterr().out
    assert "https://desk.example.com/…" in said
    assert "Piles up" in said
    assert "Test of “desk” ×1" in said
    call_command("alerts", "delete", "Piles up")
    assert not AlertRule.objects.exists()


def test_an_error_and_a_view_lead_to_a_rule(administrator, operator):
    failed_run()
    count_failures()
    group = ErrorGroup.objects.get()
    alerts.save_channel("ops", "email", "ops@example.com", actor="user:ada")
    page = administrator.get(f"/errors/{group.pk}").text
    address = html.unescape(re.search(r'href="(/settings/alerts/rules/new[^"]+)"', page)[1])
    form = administrator.get(address)
    assert form.context["form"].initial["fingerprint"] == group.pk
    assert 'data-when="failed_so"' in form.text
    sent = {**form.context["form"].initial, "active": "on"}
    assert administrator.post("/settings/alerts/rules/new", sent).status_code == 302 + 1
    assert AlertRule.objects.get().fingerprint == group.pk
    assert "Error error_" in administrator.get("/settings/alerts").text
    assert "/settings/alerts/rules/new" not in operator.get(f"/errors/{group.pk}").text


def test_a_rule_about_a_view_follows_it(administrator):
    alerts.save_channel("ops", "email", "ops@example.com", actor="user:ada")
    administrator.post("/views/save", {"name": "Bad", "query": "status=FAILED&period=1h"})
    view = SavedView.objects.get()
    assert f"view={view.pk}" in administrator.get("/views").text
    sent = {"name": "Bad", "kind": "in_view", "view": view.pk, "active": "on"}
    sent["channels"] = [AlertChannel.objects.get().pk]
    assert administrator.post("/settings/alerts/rules/new", sent).status_code == 303
    rule = AlertRule.objects.get()
    assert json.loads(rule.selection) == {"status": ["FAILED"], "within": 3600.0}
    administrator.post("/views/save", {"name": "Bad", "query": "status=CRASHED&period=1h"})
    rule.refresh_from_db()
    assert "CRASHED" in rule.selection
    refused = administrator.post("/settings/alerts/rules/new", {**sent, "name": "x", "view": ""})
    assert refused.status_code == 422
