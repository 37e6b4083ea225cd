"""The core journeys by somebody who has a keyboard and nothing else."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from runs.lifecycle import tokens
from runs.models import BulkAction, PendingDelete, Queue, Run, Schedule
from tests.support.keyboard import keys, press, tab_to, write
from tests.support.rows import failed_run, make_task, queued_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]
SCHEMA = '{"type": "object", "properties": {"note": {"type": "string"}}}'
RUN = re.compile("/runs/run_")


def test_find_a_run_and_replay_it_changed(person: Page):
    failed, _ = failed_run(), queued_run()
    person.goto("/")
    keys(person, "g", "r")
    person.wait_for_url("**/runs")
    keys(person, "f")
    person.keyboard.type("status:failed")
    keys(person, "Enter")
    expect(person.locator("[data-row]")).to_have_count(1)
    keys(person, "Escape", "j", "Enter")
    expect(person).to_have_url(re.compile(failed.id))
    keys(person, "r")
    person.wait_for_url("**/replay*")
    write(person, person.get_by_role("textbox", name="Payload"), '{"n": 2}')
    keys(person, "Control+Enter")
    expect(person).not_to_have_url(re.compile("replay"))
    assert Run.objects.get(replayed_from_id=failed.id).payload == '{"n": 2}'


def test_cancel_a_run(person: Page):
    run = queued_run()
    person.goto(f"/runs/{run.id}")
    keys(person, "c")
    expect(person.locator("#why")).to_contain_text("The run is canceled")
    keys(person, "z")
    expect(person.get_by_text("its cancel was undone")).to_be_visible()
    keys(person, "c")
    press(person, person.get_by_role("button", name="Cancel now"))
    expect(person.locator("#run-head")).to_contain_text("Canceled")


def test_test_a_task(person: Page):
    make_task("hello")
    person.goto("/")
    keys(person, "g", "t")
    press(person, person.get_by_role("link", name="hello", exact=True))
    write(person, person.get_by_role("textbox", name="Payload"), "[1]")
    keys(person, "Control+Enter")
    expect(person).to_have_url(RUN)
    assert Run.objects.get().payload == "[1]"


def test_test_the_task_of_a_row(person: Page):
    make_task("aloha")
    make_task("hello")
    person.goto("/")
    keys(person, "j", "j", "t")
    expect(person.get_by_role("heading", name="hello")).to_be_visible()
    person.goto("/")
    tab_to(person, person.get_by_role("link", name="aloha", exact=True))
    keys(person, "t")
    expect(person.get_by_role("heading", name="aloha")).to_be_visible()
    person.goto("/tasks/hello")
    keys(person, "t")
    expect(person).to_have_url(re.compile("/test/hello$"))


def test_shortcuts_switched_off_stay_off(person: Page, live_server):
    make_task("hello")
    off = {"name": "trackside_keys", "value": "off", "url": live_server.url}
    person.context.add_cookies([off])
    person.goto("/")
    keys(person, "j", "t")
    press(person, person.get_by_role("link", name="hello", exact=True))
    expect(person).to_have_url(re.compile("/tasks/hello$"))


def test_replay_many(person: Page):
    for _ in range(3):
        failed_run()
    person.goto("/runs?status=FAILED")
    keys(person, "a", "r")
    person.wait_for_url("**/bulk/**")
    press(person, person.get_by_role("button", name="Replay 3 runs"))
    expect(person.locator("main")).to_contain_text("3")
    assert BulkAction.objects.get().total == 3


def test_pause_a_queue_and_limit_it(person: Page):
    run = queued_run()
    person.goto("/")
    keys(person, "g", "q")
    press(person, person.get_by_role("link", name=run.queue, exact=True))
    person.wait_for_url("**/queues/**")
    write(person, person.locator("#pause").get_by_label("Reason").first, "new disk")
    press(person, person.get_by_role("button", name="Pause", exact=True))
    expect(person.locator("main")).to_contain_text("Paused by olga")
    write(person, person.get_by_label("Limit of each key"), "2")
    press(person, person.get_by_role("button", name="Override the limits"))
    expect(person.locator("main")).to_contain_text("Overridden with 2")
    queue = Queue.objects.get(name=run.queue)
    assert (queue.paused, queue.override_limit) == (True, 2)


def test_make_a_schedule_and_delete_it(person: Page):
    make_task("report")
    person.goto("/")
    keys(person, "g", "s")
    press(person, person.get_by_role("link", name="New schedule", exact=True))
    write(person, person.get_by_label("Task", exact=True), "report")
    write(person, person.get_by_label("Cron", exact=True), "0 5 * * *")
    press(person, person.get_by_role("button", name="Save"))
    person.wait_for_url("**/schedules/sched_*")
    press(person, person.get_by_role("link", name="Delete this schedule"))
    press(person, person.get_by_role("button", name="Delete the schedule"))
    expect(person.get_by_text("A schedule of report is deleted in 8 s.")).to_be_visible()
    keys(person, "z")
    expect(person.get_by_text("A schedule of report is deleted in 8 s.")).not_to_be_visible()
    assert not PendingDelete.objects.exists()
    assert Schedule.objects.get().next_at


def test_answer_a_wait_token(person: Page):
    token = tokens.create(schema=SCHEMA)[0]
    person.goto("/")
    keys(person, "g", "k")
    person.wait_for_url("**/wait-tokens")
    keys(person, "j", "Enter")
    person.wait_for_url(f"**/{token.pk}")
    write(person, person.get_by_label("note"), "fine")
    press(person, person.get_by_role("button", name="Send"))
    expect(person.locator("main")).to_contain_text("Completed")
    token.refresh_from_db()
    assert json.loads(token.output) == {"note": "fine"}


def test_the_skip_link_leads_past_the_navigation(person: Page):
    person.goto("/runs")
    keys(person, "Tab", "Enter")
    keys(person, "Tab")
    assert person.evaluate("document.querySelector('main').contains(document.activeElement)")
