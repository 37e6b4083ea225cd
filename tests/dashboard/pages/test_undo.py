"""What was done can be taken back from the page one comes to."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle.counting import count_failures
from runs.models import (
    ErrorGroup,
    PendingCancel,
    Pin,
    Queue,
    Run,
    RunNote,
    SavedView,
    Schedule,
    Task,
)
from tests.support.rows import (
    completed_run,
    executing_run,
    failed_run,
    make_queue,
    make_session,
    make_task,
    queued_run,
)
from tests.support.schedules import schedule

pytestmark = pytest.mark.django_db


def done(client, address, **fields):
    """The page after a form was sent."""
    return client.post(address, fields, follow=True)


def undone(client, page):
    """Press the button of the newest message."""
    (form,) = re.findall(r'<div class="note n-ok undo">.*?</form>', page.text, re.S)
    address = re.search(r'action="([^"]+)"', form)[1]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    sent = {name: html.unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}
    response = client.post(html.unescape(address), sent)
    assert response.status_code == 303, response.text
    return client.get(response["Location"])


# -- one run ------------------------------------------------------------------------------------------


def test_a_cancel_can_be_undone_on_the_runs_page(operator):
    run = queued_run()
    page = done(operator, f"/runs/{run.id}/cancel")
    assert "and does not start until then" in page.text
    assert PendingCancel.objects.get().actor == "user:otto"
    page = done(operator, f"/runs/{run.id}/cancel", do="undo")
    assert "its cancel was undone" in page.text
    assert Run.objects.get(pk=run.pk).status == "QUEUED"
    assert "Too late" in done(operator, f"/runs/{run.id}/cancel", do="undo").text


def test_from_the_list_one_comes_back_to_the_list(operator):
    run = queued_run()
    page = operator.get("/runs").text
    assert f'form="row-act" formaction="/runs/{run.id}/cancel"' in page
    page = done(operator, f"/runs/{run.id}/cancel", back="period=24h")
    assert page.redirect_chain[-1][0] == "/runs?period=24h"
    assert "is canceled in 8 s." in page.text
    assert undone(operator, page).request["PATH_INFO"] == "/runs"
    assert not PendingCancel.objects.exists()


def test_at_once_is_at_once(operator):
    run, other = queued_run(), queued_run()
    done(operator, f"/runs/{run.id}/cancel", do="now", reason="mine")
    assert Run.objects.get(pk=run.pk).reason == "mine"
    done(operator, f"/runs/{other.id}/cancel", reason="first")
    done(operator, f"/runs/{other.id}/cancel", do="now")
    assert Run.objects.get(pk=other.pk).reason == "first"


def test_without_any_cluster_the_page_does_what_is_due(viewer):
    run = queued_run()
    lifecycle.cancel_soon(run.pk, actor="user:otto")
    PendingCancel.objects.update(due_at=timezone.now() - timedelta(seconds=10))
    assert "Canceled" in viewer.get(f"/runs/{run.id}").text


def test_a_viewer_undoes_nothing(viewer):
    run = queued_run()
    lifecycle.cancel_soon(run.pk, actor="user:otto")
    page = viewer.get(f"/runs/{run.id}").text
    assert "does not start until then" in page
    assert 'value="undo"' not in page
    assert viewer.post(f"/runs/{run.id}/cancel", {"do": "undo"}).status_code == 403


def test_a_replay_is_undone_by_canceling_it(operator):
    run = completed_run()
    form = operator.get(f"/runs/{run.id}/replay")
    token = re.search(r'name="token" value="([^"]+)"', form.text)[1]
    page = done(operator, f"/runs/{run.id}/replay", payload='{"n": 1}', token=token)
    undone(operator, page)
    assert Run.objects.exclude(pk=run.pk).get().reason == "The replay was undone."


def test_a_pin_is_undone(operator):
    run = completed_run()
    page = done(operator, f"/runs/{run.id}/pin")
    undone(operator, page)
    assert not Pin.objects.exists()


# -- queues, tasks, schedules, clusters ---------------------------------------------------------------


def test_a_pause_of_a_queue_is_undone(administrator):
    make_queue("mail")
    page = done(administrator, "/queues/mail", action="pause", reason="wait")
    again = undone(administrator, page)
    assert not Queue.objects.get(name="mail").paused
    undone(administrator, again)
    assert Queue.objects.get(name="mail").paused_reason == "wait"


def test_limits_are_as_they_were(administrator):
    make_queue("mail", concurrency_limit=5)
    page = done(administrator, "/queues/mail", action="override", limit="2", reason="slow")
    page = undone(administrator, page)
    assert not Queue.objects.get(name="mail").is_overridden
    page = undone(administrator, page)
    queue = Queue.objects.get(name="mail")
    assert (queue.limit, queue.override_reason) == (2, "slow")


def test_a_pause_of_all_queues_is_undone(administrator):
    make_queue("mail")
    undone(administrator, done(administrator, "/queues", action="pause"))
    assert not Queue.objects.filter(paused=True).exists()


def test_a_task_is_paused_and_resumed(administrator, operator):
    make_task()
    page = done(administrator, "/tasks/hello", action="pause", reason="broken")
    assert "None of its runs starts" in page.text
    assert Task.objects.get(pk="hello").paused_reason == "broken"
    undone(administrator, page)
    assert Task.objects.get(pk="hello").paused_at is None
    assert operator.post("/tasks/hello", {"action": "pause"}).status_code == 403
    assert administrator.post("/tasks/hello", {"action": "no"}).status_code == 422


def test_a_schedule_goes_on(administrator):
    make_task()
    row = schedule(task_id="hello", cron="0 7 * * *")
    undone(administrator, done(administrator, f"/schedules/{row.pk}", action="deactivate"))
    assert Schedule.objects.get(pk=row.pk).active


def test_a_deleted_schedule_stays(administrator, operator):
    make_task()
    row = schedule(task_id="hello", cron="0 7 * * *")
    path = f"/schedules/{row.pk}/delete"
    page = done(administrator, path)
    assert operator.post(path, {"do": "undo"}).status_code == 403
    assert "its delete was undone" in undone(administrator, page).text
    assert Schedule.objects.get().next_at == row.next_at
    assert "no delete to undo" in done(administrator, path, do="undo").text


def test_a_drained_cluster_takes_runs_again(administrator):
    session = make_session()
    page = done(administrator, "/workers", action="drain", session=session.pk)
    undone(administrator, page)
    session.refresh_from_db()
    assert session.ordered != "drain"


# -- errors, views, notes -----------------------------------------------------------------------------


@pytest.fixture
def group():
    failed_run()
    count_failures()
    return ErrorGroup.objects.get()


def test_a_decision_about_an_error_is_undone(operator, group):
    address = f"/errors/{group.pk}"
    page = done(operator, address, action="ignore", rate="5", reason="noise", seen=group.revision)
    page = undone(operator, page)
    group.refresh_from_db()
    assert group.status == "unresolved"
    undone(operator, page)
    group.refresh_from_db()
    assert (group.status, group.ignored_rate, group.reason) == ("ignored", 5, "noise")


def test_a_deleted_view_comes_back(operator):
    row = lifecycle.save_view("Mine", "task=hello", owner="user:otto")
    undone(operator, done(operator, f"/views/{row.pk}", do="delete"))
    assert SavedView.objects.get().query == "task=hello"


def test_notes_stay_with_the_run(operator, viewer):
    run, _ = executing_run()
    page = done(operator, f"/runs/{run.id}/notes", text=" <b>asked the bank</b> \x00")
    assert "&lt;b&gt;asked the bank&lt;/b&gt;" in page.text
    assert "1 note<" in page.text
    assert RunNote.objects.get().actor == "user:otto"
    assert operator.post(f"/runs/{run.id}/notes", {"text": " "}).status_code == 422
    assert viewer.post(f"/runs/{run.id}/notes", {"text": "x"}).status_code == 403
    assert "asked the bank" in operator.get(f"/runs/{run.id}/raw/report").text
