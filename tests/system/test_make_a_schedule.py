import pytest
from django.utils import timezone
from playwright.sync_api import expect

from runs import lifecycle
from runs.models import PendingDelete, Schedule
from tests.support.rows import make_task

pytestmark = [pytest.mark.system, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_the_next_fires_are_shown_while_typing(person):
    make_task("report")
    person.goto("/schedules")
    person.get_by_role("link", name="New schedule", exact=True).click()
    person.get_by_label("Task", exact=True).fill("report")
    cron = person.get_by_label("Cron", exact=True)
    cron.press_sequentially("0 5 * *")
    expect(person.get_by_text("cron has 5 fields")).to_be_visible()
    cron.press_sequentially(" *")
    person.get_by_label("Time zone", exact=True).last.fill("Asia/Tokyo")
    expect(person.get_by_text("At 05:00 every day, Asia/Tokyo time")).to_be_visible()
    expect(person.get_by_role("table", name="Next fires").get_by_role("row")).to_have_count(6)
    assert not Schedule.objects.exists()
    person.get_by_role("button", name="Save").click()
    person.wait_for_url("**/schedules/sched_*")
    assert Schedule.objects.get().timezone == "Asia/Tokyo"
    person.get_by_label("Note").fill("not yet")
    person.get_by_role("button", name="Switch off").click()
    expect(person.get_by_role("button", name="Switch on")).to_be_visible()


def test_without_scripts(person_without_scripts):
    page = person_without_scripts
    make_task("report")
    page.goto("/schedules/new")
    page.locator("#id_task_id").fill("report")
    page.locator("#id_cron").fill("0 5 * *")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("cron has 5 fields").first).to_be_visible()
    page.locator("#id_cron").fill("0 5 * * *")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("At 05:00 every day")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Delete this schedule").click()
    page.get_by_role("button", name="Delete the schedule").click()
    expect(page.get_by_text("A schedule of report is deleted in 8 s.")).to_be_visible()
    PendingDelete.objects.update(due_at=timezone.now())
    lifecycle.delete_due()
    page.goto("/schedules")
    expect(page.get_by_text("At 05:00 every day")).not_to_be_visible()
    assert not Schedule.objects.exists()
