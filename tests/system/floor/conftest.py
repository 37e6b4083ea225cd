import pytest
from django.core.management import call_command
from playwright.sync_api import Page

from runs import lifecycle
from runs.lifecycle import alerts, apikeys, envvars, templates, views
from runs.models import BulkKind, Run

WHO = "user:olga"


@pytest.fixture
def filled(person: Page) -> Page:
    """Somebody who may do everything, before a database with something of every kind."""
    fill()
    return person


def fill() -> None:
    made = {"with_executing": 3, "with_queued": 5, "with_schedules": True}
    call_command("demo", runs=120, verbosity=0, **made)
    apikeys.create("ci", actor=WHO)
    envvars.put({"LOG_LEVEL": "debug"}, actor=WHO)
    channel = alerts.save_channel("Chat", "slack", "https://chat.example.com/hook", actor=WHO)
    alerts.save_rule(
        "Failures",
        alerts.Watched(kind="status", statuses=["FAILED"]),
        channels=[channel.pk],
        actor=WHO,
    )
    views.save_view("Failed", "status=FAILED", owner=WHO)
    templates.keep("shop/refund", "Usual", "{}", None, actor=WHO)
    lifecycle.begin_bulk(
        BulkKind.REPLAY, list(Run.objects.values_list("pk", flat=True)[:3]), actor=WHO
    )
