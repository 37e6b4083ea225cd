from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.models import AuditLog, Run
from tests.support.rows import executing_run, make_queue, queued_run

pytestmark = pytest.mark.django_db


def fields(client, run, **changed):
    """What a browser sends of the form as it is shown."""
    form = client.get(f"/runs/{run.pk}/edit").context["form"]
    shown = {name: form[name].value() for name in form.fields}
    return {name: "" if value is None else value for name, value in shown.items()} | changed


def send(client, run, **changed):
    return client.post(f"/runs/{run.pk}/edit", fields(client, run, **changed))


def test_changes_what_was_changed(operator):
    make_queue("fast")
    run = queued_run(payload='{"n": 1}', priority=2)
    answer = send(operator, run, priority="5", queue="fast", payload='{"n": 2}', reason="urgent")
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{run.pk}")
    now = Run.objects.get(pk=run.pk)
    assert (now.priority, now.queue, now.payload) == (5, "fast", '{"n": 2}')
    entry = AuditLog.objects.get(action="run.edit")
    assert (entry.actor, entry.reason) == ("user:otto", "urgent")
    assert "urgent" in operator.get(f"/runs/{run.pk}?tab=history").text


def test_puts_off_and_starts_at_once(operator):
    run = queued_run()
    send(operator, run, delay="2h")
    off = Run.objects.get(pk=run.pk)
    assert off.status == "DELAYED"
    assert abs(off.delay_until - timezone.now() - timedelta(hours=2)) < timedelta(minutes=1)
    send(operator, run, delay="0")
    assert Run.objects.get(pk=run.pk).status == "QUEUED"


def test_an_untouched_delay_stays(operator):
    run = queued_run(delay=3600.0)
    send(operator, run, priority="3")
    now = Run.objects.get(pk=run.pk)
    assert (now.delay_until, now.status, now.priority) == (run.delay_until, "DELAYED", 3)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "Nothing differs"),
        ({"queue": "nowhere"}, "no queue named"),
        ({"payload": "{"}, "JSON"),
        ({"delay": "soon"}, "delay"),
        ({"priority": "9e9"}, "priority"),
    ],
)
def test_says_what_is_wrong(operator, changed, words):
    run = queued_run()
    answer = send(operator, run, **changed)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert "Nothing was changed." in answer.text
    assert not AuditLog.objects.filter(action="run.edit").exists()


def test_what_changed_meanwhile_is_not_overwritten(operator):
    run = queued_run()
    sent, sent_first = fields(operator, run, payload='"mine"'), run.payload
    lifecycle.edit(run.pk, lifecycle.Edit(priority=7), actor="user:ada")
    answer = operator.post(f"/runs/{run.pk}/edit", sent)
    assert (answer.status_code, "in the meantime" in answer.text) == (409, True)
    assert "mine" in answer.text
    assert (Run.objects.get(pk=run.pk).priority, Run.objects.get(pk=run.pk).payload) == (
        7,
        sent_first,
    )


def test_a_run_that_has_started_is_not_edited(operator):
    started, _ = executing_run()
    run = queued_run()
    sent = fields(operator, run, priority="3")
    assert f"/runs/{run.pk}/edit" in operator.get(f"/runs/{run.pk}").text
    assert "/edit" not in operator.get(f"/runs/{started.pk}").text
    answer = operator.post(f"/runs/{started.pk}/edit", sent)
    assert (answer.status_code, "has been started" in answer.text) == (409, True)


def test_is_for_operators(viewer):
    run = queued_run()
    assert "Can change run" in viewer.get(f"/runs/{run.pk}/edit").text
    assert send(viewer, run, priority="3").status_code == 403
    assert Run.objects.get(pk=run.pk).priority == 0
