"""Records that stay, files that are files, faults that tell nothing, and proxies that are believed."""

import logging
import re
from contextlib import suppress

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dashboard.pages import overview
from runs.lifecycle import apikeys, audit
from runs.models import AuditLog
from tests.support.rows import completed_run, make_user


def client_of(*permissions):
    client = Client(raise_request_exception=False)
    client.force_login(make_user("vera", *permissions))
    return client


@pytest.mark.django_db
def test_records_cannot_be_changed():
    audit.record("user:ada", "run.cancel", "run_1")
    for change in (lambda: AuditLog.objects.update(actor="x"), AuditLog.objects.all().delete):
        with suppress(DatabaseError), transaction.atomic():
            change()
            pytest.fail("it could be changed")
    assert AuditLog.objects.get().actor == "user:ada"


@pytest.mark.once
@pytest.mark.django_db
def test_who_acts_over_the_api_has_an_address_too():
    text = apikeys.create("k", actor="user:ada")[1]
    run = completed_run("hello")
    for address, kept in (("198.51.100.7", "198.51.100.7"), ("", None), ("no address", None)):
        answer = Client().post(
            f"/api/v1/runs/{run.pk}/tags", {"tags": [f"at {address}"]}, content_type="application/json",
            headers={"authorization": f"Bearer {text}"}, REMOTE_ADDR=address,
        )  # fmt: skip
        assert answer.status_code == 200, answer.content
        entry = AuditLog.objects.latest("pk")
        assert (entry.action, entry.ip) == ("run.tags", kept)
    audit.record("cli:root", "run.cancel", "run_1")
    assert AuditLog.objects.latest("pk").ip is None


@pytest.mark.once
@pytest.mark.django_db
def test_what_is_downloaded_is_a_file():
    run = completed_run("hello", payload='"<script>xss()</script>"', output='"<svg onload=xss()>"')
    reader = client_of("view_run", "view_payload")
    for name in ("payload", "output", "logs", "trace", "report"):
        answer = reader.get(f"/runs/{run.pk}/raw/{name}")
        assert answer.status_code == 200
        told = answer.headers["content-disposition"]
        assert re.fullmatch(rf'attachment; filename="{run.pk}-?[\w-]*\.\w+"', told), told
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "html" not in answer.headers["content-type"]


CANARY = "canary-in-a-local-variable"


def broken(request, *_):
    secret = CANARY
    raise RuntimeError(f"SELECT * FROM runs_run WHERE x = '{secret}'")


@pytest.mark.once
@pytest.mark.django_db
def test_a_fault_tells_nothing_of_the_inside(monkeypatch, caplog):
    monkeypatch.setattr(overview, "_context", broken)
    with caplog.at_level(logging.ERROR):
        answer = client_of("view_run").get("/")
    text = answer.content.decode()
    assert answer.status_code == 500
    for inside in (
        CANARY,
        "SELECT",
        "RuntimeError",
        "Traceback",
        "site-packages",
        "dashboard/pages",
    ):
        assert inside not in text
    reference = re.search(r"<code>([0-9a-f]{12})</code>", text)[1]
    assert reference in caplog.text
    assert "RuntimeError" in caplog.text
    for header in ("content-security-policy", "x-content-type-options", "x-frame-options"):
        assert header in answer.headers


@pytest.mark.once
@pytest.mark.parametrize(
    ("peer", "seen"), [("127.0.0.1", "198.51.100.7"), ("192.0.2.9", "192.0.2.9")]
)
def test_only_a_named_proxy_says_who_came(peer, seen):
    """What `up` serves with, as it is set up without FORWARDED_ALLOW_IPS."""
    found = []

    async def app(scope, receive, send):
        found.append(scope["client"][0])

    scope = {
        "type": "http", "scheme": "http", "client": (peer, 5000),
        "headers": [(b"x-forwarded-for", b"198.51.100.7")],
    }  # fmt: skip
    with suppress(StopIteration):
        ProxyHeadersMiddleware(app)(scope, None, None).send(None)
    assert found == [seen]
