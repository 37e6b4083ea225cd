from collections.abc import Iterator

import pytest
from django.db import connection
from playwright.sync_api import Page

from tests.support.browser import checked_page
from tests.support.rows import make_user


@pytest.fixture(autouse=True)
def _audit_log_can_be_emptied(transactional_db: None) -> Iterator[None]:
    """SQLite empties tables by DELETE, which the audit log refuses."""
    yield
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'trigger' AND tbl_name = 'runs_auditlog' AND sql LIKE '%BEFORE DELETE%'"
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("DELETE FROM runs_auditlog")
        for _, statement in triggers:
            cursor.execute(statement)


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
