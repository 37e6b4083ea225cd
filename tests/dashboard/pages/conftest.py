from contextlib import contextmanager

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs import ids
from runs.lifecycle import definitions
from tests.support.rows import make_user


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    # ids only rise; one made in a test's faked future would drag all later ones there
    monkeypatch.setattr(ids, "_last", 0)
    definitions.forget()
    cache.clear()
    # what is wrong with this machine is no matter of these pages, and looking costs each test anew
    monkeypatch.setattr("dashboard.pages.banners.health.points", list)


@pytest.fixture
def few_reads(monkeypatch):
    """`with few_reads(5)`: at most so many statements that read a table.

    What the frame of every page asks once in a while is not counted.
    """
    monkeypatch.setattr("dashboard.pages.banners.shown", list)
    monkeypatch.setattr("dashboard.pages.run_views.saved", lambda owner: [])

    @contextmanager
    def at_most(limit):
        with CaptureQueriesContext(connection) as captured:
            yield captured
        reads = [query["sql"] for query in captured.captured_queries if " FROM " in query["sql"]]
        assert len(reads) <= limit, "\n".join(reads)

    return at_most


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db):
    return client_of(make_user("vera", "view_run", "view_payload"))


@pytest.fixture
def operator(db):
    return client_of(make_user("otto", "change_run", "view_payload"))


@pytest.fixture
def administrator(db):
    return client_of(
        make_user("ada", "change_run", "change_queue", "view_payload", "reveal_payload")
    )
