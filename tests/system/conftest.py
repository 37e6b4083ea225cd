import pytest
from playwright.sync_api import Page

from tests.support.browser import checked_page
from tests.support.factories import make_user


def log_in(page: Page) -> Page:
    page.goto("/login/?next=/runs")
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password").fill("a-good-password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/runs")
    return page


@pytest.fixture
def person(page: Page) -> Page:
    """Somebody who may do everything, logged in."""
    make_user("olga", "change_run", "change_queue")
    return log_in(page)


@pytest.fixture
def person_without_scripts(browser, live_server):
    make_user("olga", "change_run", "change_queue")
    with checked_page(browser, live_server.url, java_script_enabled=False) as page:
        yield log_in(page)
