import pytest
from playwright.sync_api import expect

from runs.models import Run
from tests.support.rows import failed_run, queued_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]


def test_filters_apply_at_once_and_stand_in_the_address(person):
    failed, queued = failed_run(), queued_run()
    person.goto("/runs")
    person.locator("summary", has_text="Status").click()
    person.get_by_role("checkbox", name="Failed", exact=True).check()
    expect(person.locator(f"#{queued.id}")).to_have_count(0)
    expect(person.locator(f"#{failed.id}")).to_be_visible()
    assert "status=FAILED" in person.url
    person.keyboard.press("Escape")
    person.get_by_role("link", name="Clear").click()
    expect(person.locator(f"#{queued.id}")).to_be_visible()


def test_by_keyboard_alone_to_a_replay(person):
    failed_run()
    person.goto("/")
    person.keyboard.press("g")
    person.keyboard.press("r")
    person.wait_for_url("**/runs")
    person.keyboard.press("j")
    person.keyboard.press("r")
    person.wait_for_url("**/replay")
    person.get_by_role("textbox", name="Payload").press("Control+Enter")
    expect(person.get_by_text("as this run.")).to_be_visible()
    assert Run.objects.count() == 2


def test_cancel_without_scripts(person_without_scripts):
    page = person_without_scripts
    run = queued_run()
    page.goto("/runs?status=QUEUED")
    page.get_by_role("link", name="Cancel run_").click()
    page.get_by_label("Reason").fill("not needed")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-head .status")).to_have_text("Canceled")
    expect(page.locator("#why")).to_contain_text("not needed")
    assert Run.objects.get(pk=run.pk).status == "CANCELED"


def test_pause_a_queue_without_scripts(person_without_scripts):
    page = person_without_scripts
    run = queued_run()
    page.goto(f"/queues/{run.queue}")
    page.get_by_label("Reason").first.fill("new disk")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused by olga")).to_be_visible()
    page.goto(f"/runs/{run.id}")
    expect(page.locator("#why")).to_contain_text("is paused by olga: new disk")
