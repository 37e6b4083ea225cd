"""An open tab: quiet while nothing changes, and nothing moves under a person's hands when something does."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, Response

from runs import lifecycle
from runs.models import Run, WorkerSession
from tests.support.rows import completed_run, executing_run, queued_run
from tests.support.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]
IDLE, CHANGES = 24, 6
#: Ticks come every few seconds; here there is no time for that.
HURRY = "document.querySelector('#live-on').dataset.every = '0.1'"


def counted(page: Page) -> Counter[int]:
    """How often which status was answered to ticks from now on."""
    found: Counter[int] = Counter()

    def note(response: Response) -> None:
        if "/live" in response.url:
            found[response.status] += 1

    page.on("response", note)
    return found


def wait_for(page: Page, found: Counter[int], count: int, status: int | None = None) -> None:
    def enough() -> bool:
        page.evaluate(HURRY)
        page.wait_for_timeout(50)
        return (found.total() if status is None else found[status]) >= count

    eventually(enough, within=60)


@pytest.mark.parametrize("place", ["/runs", "/runs/{run}"])
def test_an_idle_tab_is_answered_204(person: Page, place: str):
    completed_run()
    run, _ = executing_run()
    # the bars of a young one still grow from tick to tick
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(hours=3))
    person.goto(place.format(run=run.id))
    found = counted(person)
    wait_for(person, found, IDLE)
    assert found[204] / found.total() > 0.95, found


def test_focus_and_scroll_stay_where_they_are(person: Page):
    person.set_viewport_size({"width": 1440, "height": 500})
    run, _ = executing_run()
    for _ in range(12):
        queued_run()
    person.goto("/runs")
    person.locator(f"#{run.id} [data-open]").focus()
    place = person.evaluate("scrollTo(0, 200), scrollY")
    found = counted(person)
    for number in range(CHANGES):
        Run.objects.filter(pk=run.pk).update(tags=f'["{number}"]', updated_at=timezone.now())
        queued_run()
        wait_for(person, found, number + 1, 200)
    person.locator("#pill").get_by_text("new").wait_for()
    assert person.evaluate("document.activeElement.closest('[data-row]')?.id") == run.id
    assert abs(person.evaluate("scrollY") - place) <= 1


def test_the_width_of_the_names_stays_through_live_answers(person: Page):
    run, _ = executing_run()
    person.goto(f"/runs/{run.id}")
    divider = person.get_by_role("separator", name="Width of the names")
    divider.focus()
    widths = []
    for key in ("End", "ArrowRight", "Home", "ArrowRight"):
        person.keyboard.press(key)
        widths.append(divider.get_attribute("aria-valuenow"))
    assert widths == ["75", "75", "15", "17"]
    found = counted(person)
    lifecycle.cancel(run.pk, actor="user:otto")
    wait_for(person, found, 1, 200)
    person.get_by_text("Asked to stop").wait_for()
    again = person.get_by_role("separator", name="Width of the names")
    assert again.evaluate("part => part === document.activeElement")
    assert share_of_names(person) == 17
    person.reload()
    assert again.get_attribute("aria-valuenow") == "17"
    assert share_of_names(person) == 17


def share_of_names(page: Page) -> int:
    """Percent of the chart."""
    return page.evaluate(
        """() => {
          const width = (part) => document.querySelector(part).getBoundingClientRect().width;
          return Math.round(100 * width("#chart .tr .nm") / width("#chart .ruler"));
        }"""
    )


def test_the_icon_of_the_tab_follows(person: Page):
    cache.clear()
    run, _ = executing_run()
    queued_run()
    person.goto(f"/runs/{run.id}")
    assert person.locator("#icon").get_attribute("href").endswith("favicon.svg")
    WorkerSession.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    cache.clear()
    found = counted(person)
    wait_for(person, found, 1)
    eventually(lambda: "bad" in (person.locator("#icon").get_attribute("href") or ""))
