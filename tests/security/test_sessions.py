"""Sessions: a new key for each login, an end in any case, and no way back."""

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.people import sessions
from runs.lifecycle import apikeys
from runs.models import AuditLog
from tests.support.rows import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.once]
GOOD = "a-good-password"
SENT = {"username": "vera", "password": GOOD}


@pytest.fixture
def vera():
    return make_user("vera", "view_run")


@pytest.fixture
def ada(vera):
    client = Client()
    client.force_login(make_user("ada", "change_queue"))
    return client


def logged_in(client=None):
    client = client or Client()
    assert client.post("/login/", SENT).status_code == 302
    return client


def key(client):
    return client.cookies[configured.SESSION_COOKIE_NAME].value


def is_in(client):
    return client.get("/runs").status_code == 200


def test_a_login_has_a_key_nobody_knew(vera):
    client = logged_in()
    first = key(client)
    client.post("/logout/")
    client.cookies[configured.SESSION_COOKIE_NAME] = first
    assert not is_in(client)
    logged_in(client)
    assert key(client) != first
    planted = Client()
    planted.cookies[configured.SESSION_COOKIE_NAME] = "a" * 32
    assert key(logged_in(planted)) != "a" * 32


def test_its_cookie_is_for_us_alone(vera):
    cookie = logged_in().cookies[configured.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]


def test_who_asks_for_nothing_for_eight_hours_is_out(vera, clock):
    client = logged_in()
    clock("16:59:00")
    assert is_in(client)
    clock("23:59:00")
    assert is_in(client)
    clock("23:59:30")
    client.get("/runs")
    clock("23:59:59")
    assert is_in(client)


def test_a_page_that_looks_for_news_keeps_nobody_in(vera, time_machine):
    time_machine.move_to("2030-01-01T09:00:00Z", tick=False)
    client = logged_in()
    time_machine.shift(7 * 3600)
    assert client.get("/runs/live?v=1", headers={"HX-Request": "true"}).status_code < 400
    time_machine.shift(2 * 3600)
    assert not is_in(client)
    assert not Session.objects.exists()


def test_two_weeks_are_the_end_however_often_somebody_comes(vera, settings, time_machine):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "SESSION_IDLE_SECONDS": 0}
    time_machine.move_to("2030-01-01T09:00:00Z", tick=False)
    client = logged_in()
    for _ in range(2):
        time_machine.shift(7 * 24 * 3600)
        assert client.get("/help/shortcuts").status_code == 200
    time_machine.shift(1)
    assert not is_in(client)


def test_being_there_is_seldom_written(vera, clock):
    client = logged_in()
    with CaptureQueriesContext(connection) as captured:
        for minute in range(10, 15):
            clock(f"09:{minute}:00")
            assert is_in(client)
    writes = [one["sql"] for one in captured.captured_queries if "UPDATE" in one["sql"]]
    assert len(writes) == 1


@pytest.mark.parametrize("how", ["off", "password", "deleted", "ended"])
def test_an_account_that_changed_is_out_everywhere(vera, ada, how):
    clients = [logged_in(), logged_in()]
    page = f"/settings/members/{vera.pk}"
    if how == "off":
        ada.post(page, {"act": "deactivate"})
    elif how == "ended":
        assert "2 sessions ended" in ada.post(page, {"act": "end"}, follow=True).content.decode()
        assert AuditLog.objects.filter(action="member.sessions", target="vera").count() == 1
    elif how == "password":
        vera.set_password("correct horse battery")
        vera.save()
    else:
        User.objects.filter(pk=vera.pk).delete()
    for client in clients:
        assert not is_in(client)
        # fragments that a page asks for by itself, and what a script would ask
        assert client.get("/runs/live", headers={"HX-Request": "true"}).status_code == 401
        assert client.get("/api/v1/runs").status_code == 401
        assert client.get("/realtime/v1/runs").status_code in (401, 501)
        assert client.post("/preferences").status_code == 302
    assert is_in(ada)


def test_a_session_does_not_rise_again_with_its_account(vera, ada):
    client = logged_in()
    for act in ("deactivate", "activate"):
        ada.post(f"/settings/members/{vera.pk}", {"act": act})
    assert not is_in(client)
    assert is_in(logged_in())


def test_a_session_is_no_key_and_a_key_no_session(vera):
    client = logged_in()
    assert client.get("/api/v1/runs").status_code == 401
    text = apikeys.create("k", actor="user:ada")[1]
    assert Client().get("/runs", headers={"authorization": f"Bearer {text}"}).status_code == 302


def test_sessions_kept_elsewhere_are_left(vera, settings):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert sessions.end_all(vera) == 0
