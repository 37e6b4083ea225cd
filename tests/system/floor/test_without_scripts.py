"""The core journeys in a browser that runs no scripts."""

import pytest
from playwright.sync_api import Page, expect

from runs.lifecycle import tokens
from runs.models import Queue, Run
from tests.support.rows import failed_run, queued_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_find_a_run_and_replay_it_changed(person_without_scripts: Page):
    page = person_without_scripts
    failed, other = failed_run(), queued_run()
    page.goto("/")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.locator("[data-first]").fill("status:failed")
    page.locator("[data-first]").press("Enter")
    expect(page.locator(f"#{other.id}")).to_have_count(0)
    page.locator(f"#{failed.id} [data-open]").click()
    page.get_by_role("link", name="Replay").first.click()
    page.get_by_role("textbox", name="Payload").fill('{"n": 2}')
    page.get_by_role("button", name="Replay").first.click()
    expect(page.locator("#run-head")).to_be_visible()
    assert Run.objects.get(replayed_from_id=failed.id).payload == '{"n": 2}'


def test_limit_a_queue(person_without_scripts: Page):
    page = person_without_scripts
    run = queued_run()
    page.goto(f"/queues/{run.queue}")
    page.get_by_label("Limit of each key").fill("2")
    page.get_by_role("button", name="Override the limits").click()
    expect(page.locator("main")).to_contain_text("Overridden with 2")
    assert Queue.objects.get(name=run.queue).override_limit == 2


def test_answer_a_wait_token(person_without_scripts: Page):
    page = person_without_scripts
    token = tokens.create()[0]
    page.goto(f"/wait-tokens/{token.pk}")
    if page.get_by_text("With any JSON").count():
        page.get_by_text("With any JSON").click()
    page.get_by_role("textbox", name="JSON").last.fill('"yes"')
    page.get_by_role("button", name="Complete").last.click()
    expect(page.locator("main")).to_contain_text("Completed")
    token.refresh_from_db()
    assert token.output == '"yes"'


def test_choose_a_theme(person_without_scripts: Page):
    page = person_without_scripts
    page.goto("/me")
    page.locator("main").get_by_label("Dark").check()
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
