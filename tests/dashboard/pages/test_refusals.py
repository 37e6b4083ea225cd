import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client

from dashboard.pages import overview
from runs.errors import IllegalTransition
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import completed_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(db):
    client = client_of(make_user("vera", "view_run"))
    client.raise_request_exception = False
    return client


def test_a_broken_page_says_so(patient, monkeypatch):
    monkeypatch.setattr(overview, "_context", lambda request: 1 / 0)
    response = patient.get("/")
    assert response.status_code == 500
    assert b"Something broke" in response.content
    assert b"ZeroDivisionError" not in response.content


def test_even_without_its_stylesheet(patient, monkeypatch):
    def missing(name):
        raise ValueError(name)

    monkeypatch.setattr(staticfiles_storage, "url", missing)
    response = patient.get("/")
    assert response.status_code == 500
    assert b"stylesheet" not in response.content


def test_a_run_that_moved_on_is_a_conflict_with_its_new_state(patient, monkeypatch):
    run = completed_run()

    def moved(request):
        raise IllegalTransition(run.id, run.status, "QUEUED")

    monkeypatch.setattr(overview, "_context", moved)
    response = patient.get("/")
    assert response.status_code == 409
    assert b"Completed" in response.content
    assert run.id.encode() in response.content


def test_a_stranger_learns_nothing_from_a_missing_page():
    response = Client().get("/nope")
    assert response.status_code == 404
    assert b"Shortcuts" not in response.content
