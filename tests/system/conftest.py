from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from tests.support.browser import checked_page, chromium
from tests.support.rows import make_user


# Of the package: Playwright's event loop in this thread must end with these tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, live_server) -> Iterator[Page]:
    """A browser page at the live server; relative addresses work."""
    with checked_page(browser, live_server.url) as made:
        yield made


@pytest.fixture
def page_without_scripts(browser: Browser, live_server) -> Iterator[Page]:
    with checked_page(browser, live_server.url, java_script_enabled=False) as made:
        yield made


@pytest.fixture
def person(page: Page, live_server) -> Page:
    """Somebody who may do everything, logged in."""
    return logged_in(page, live_server.url)


@pytest.fixture
def person_without_scripts(page_without_scripts: Page, live_server) -> Page:
    return logged_in(page_without_scripts, live_server.url)


def logged_in(page: Page, address: str) -> Page:
    """With the cookie of a session; how people log in is a test of its own."""
    client = Client()
    client.force_login(make_user("olga", "change_run", "change_queue", "view_payload"))
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])
    return page
