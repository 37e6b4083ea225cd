"""Probes: what they answer, to whom, and what they do not touch."""

import asyncio
import threading

import pytest
from django.db import OperationalError
from django.test import Client

from dashboard.monitoring import readiness as module
from dashboard.monitoring.probes import living
from dashboard.monitoring.readiness import readiness
from runs import logformat


@pytest.fixture(autouse=True)
def _anew():
    readiness.forget()


def test_live_needs_no_database_no_name_and_no_https(settings):
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["runs.example.com"]
    answer = Client(headers={"host": "10.1.2.3:8765"}).get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})
    assert answer["cache-control"] == "no-store"
    assert Client().post("/health/live").status_code == 405


@pytest.mark.django_db
def test_ready_says_what_was_checked(settings):
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["runs.example.com"]
    answer = Client(headers={"host": "10.1.2.3:8765"}).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": [{"name": "database", "ok": True}, {"name": "migrations", "ok": True}],
    }


@pytest.mark.django_db
def test_not_ready_where_the_database_is_not_migrated(monkeypatch):
    monkeypatch.setattr(module.migrated, "problem", lambda: "Run this first.")
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"][1] == {
        "name": "migrations",
        "ok": False,
        "problem": "Run this first.",
    }


@pytest.mark.django_db
def test_not_ready_without_a_database_and_no_word_about_where_it_is(monkeypatch):
    def away(self):
        raise OperationalError('connection to server at "db.internal", user "app" failed')

    monkeypatch.setattr(module.Readiness, "_checked", away)
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert "db.internal" not in answer.text


@pytest.mark.django_db
def test_probes_of_a_database_that_hangs_do_not_pile_up(monkeypatch):
    hangs, looks = threading.Event(), []

    def looked(self):
        looks.append(1)
        hangs.wait(20)
        return []

    monkeypatch.setattr(module.Readiness, "_checked", looked)
    here = module.Readiness()
    found = [here.checks(patience=0.01) for _ in range(5)]
    assert all("did not answer" in checks[0].problem for checks in found)
    assert looks == [1]
    done = here.done
    hangs.set()
    done.wait(20)
    assert here.checks() == []


def test_the_event_loop_answers_by_itself():
    sent = []

    async def send(event):
        sent.append(event)

    async def busy(scope, receive, send):
        raise AssertionError("no thread is to be needed")

    scope = {"type": "http", "method": "GET", "path": "/health/live"}
    asyncio.run(living(busy)(scope, None, send))
    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"status": "live"}')
    with pytest.raises(AssertionError):
        asyncio.run(living(busy)({**scope, "path": "/runs"}, None, send))


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "01HV:x/y+z="])
def test_a_sane_request_id_is_echoed(given):
    assert Client(headers={"x-request-id": given}).get("/health/live")["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "é", "<script>", "a" * 129, "-a"])
def test_other_request_ids_are_not(given):
    assert "x-request-id" not in Client(headers={"x-request-id": given}).get("/health/live")


@pytest.mark.django_db
def test_what_the_log_says_of_a_request_has_the_id_its_answer_has(caplog):
    seen = []
    caplog.handler.addFilter(lambda record: seen.append(logformat.context()) or True)
    answer = Client().get("/api/v1/nothing")
    assert answer.status_code == 404
    assert [one["request_id"] for one in seen] == [answer["x-request-id"]]
