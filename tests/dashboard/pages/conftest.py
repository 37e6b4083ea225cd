import pytest
from django.core.cache import cache
from django.test import Client

from runs.lifecycle import definitions
from tests.support.factories import make_user


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()
    cache.clear()


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db):
    return client_of(make_user("vera", "view_run"))


@pytest.fixture
def operator(db):
    return client_of(make_user("otto", "change_run"))


@pytest.fixture
def administrator(db):
    return client_of(make_user("ada", "change_run", "change_queue"))
