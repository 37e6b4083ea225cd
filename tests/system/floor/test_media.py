"""Other ways to look: colours of the system's choice, and paper."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.rows import failed_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_forced_colors_and_print(person: Page):
    run = failed_run()
    person.emulate_media(forced_colors="active")
    person.goto("/runs")
    border = person.locator(f"#{run.id} .status").first.evaluate(
        "e => getComputedStyle(e).borderTopWidth"
    )
    assert border != "0px"
    person.emulate_media(forced_colors="none", media="print")
    person.goto(f"/runs/{run.id}")
    expect(person.locator(".top")).to_be_hidden()
    expect(person.locator(".side")).to_be_hidden()
    expect(person.get_by_role("heading", level=1)).to_be_visible()
