from datetime import timedelta

import pytest
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.accounts.sessionstore import SessionStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    store = SessionStore()
    store["name"] = "ada"
    store.save()
    return store.session_key


def test_reads_what_was_kept_by_one_statement(key):
    with CaptureQueriesContext(connection) as captured:
        assert SessionStore(key)["name"] == "ada"
    assert len(captured) == 1


def test_reads_what_django_keeps_and_the_other_way_round(key):
    assert db.SessionStore(key)["name"] == "ada"
    other = db.SessionStore()
    other["name"] = "otto"
    other.save()
    assert SessionStore(other.session_key)["name"] == "otto"


def test_one_that_expired_is_none_and_its_key_is_not_taken_over(key):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    store = SessionStore(key)
    assert "name" not in store
    assert store.session_key is None


def test_a_key_that_somebody_made_up_is_not_taken_over():
    store = SessionStore("a" * 32)
    assert store.is_empty() or not dict(store.items())
    assert store.session_key is None
