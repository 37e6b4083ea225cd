import pytest
from django.utils import timezone
from playwright.sync_api import expect

from runs.lifecycle import attempts, store
from runs.models import LogLine
from tests.support.rows import executing_run, queued_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]


def log(run, text):
    LogLine.objects.create(
        run_id=run.id, attempt=1, level=20, logger="root", message=text, at=timezone.now()
    )


def test_lines_arrive_and_the_end_ends_the_polling(person):
    run, token = executing_run()
    log(run, "first line")
    person.goto(f"/runs/{run.id}?tab=logs")
    expect(person.get_by_text("first line")).to_be_visible()
    log(run, "second line")
    expect(person.get_by_text("second line")).to_be_visible()
    expect(person.get_by_text("first line")).to_have_count(1)
    store.current().finish(attempts.complete(run.pk, token, '"done"'))
    expect(person.locator("#run-head .status")).to_have_text("Completed")
    expect(person.locator("#live-dot")).to_be_hidden()


def test_rows_change_in_place_and_new_runs_wait_behind_a_pill(person):
    run, token = executing_run()
    person.goto("/runs")
    row = person.locator(f"#{run.id}")
    expect(row).to_contain_text("Executing")
    store.current().finish(attempts.complete(run.pk, token, "1"))
    newer = queued_run()
    expect(row).to_contain_text("Completed")
    person.get_by_role("link", name="1 new run").click()
    expect(person.locator(f"#{newer.id}")).to_be_visible()


@pytest.mark.once
def test_updates_pause_while_somebody_reads(person):
    run, token = executing_run()
    person.goto("/runs")
    person.keyboard.press("L")
    expect(person.locator("#live-dot")).to_contain_text("Paused by you")
    store.current().finish(attempts.complete(run.pk, token, "1"))
    person.wait_for_timeout(4000)
    expect(person.locator(f"#{run.id}")).to_contain_text("Executing")
    person.keyboard.press("L")
    expect(person.locator(f"#{run.id}")).to_contain_text("Completed")
