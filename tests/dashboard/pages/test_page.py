"""What all pages share: who may see them, their zone, their headers."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_script_prefix

from runs import conf
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import make_user, queued_run

pytestmark = pytest.mark.django_db


def test_asks_a_stranger_to_log_in():
    response = Client().get("/runs?status=FAILED")
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=/runs%3Fstatus%3DFAILED"


def test_a_fragment_for_a_stranger_reloads_the_page():
    response = Client().get("/runs", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (401, "true")


def test_refuses_an_account_without_permission():
    response = client_of(make_user("nobody")).get("/runs")
    assert response.status_code == 403
    assert b"Ask an administrator" in response.content


def test_staff_may_look():
    assert client_of(make_user("sam", is_staff=True)).get("/runs").status_code == 200


def test_an_inactive_account_may_not():
    client = client_of(make_user("ida", "view_run"))
    User.objects.filter(username="ida").update(is_active=False)
    assert client.get("/runs").status_code == 302


def test_nothing_inline_in_the_policy_or_the_page(viewer):
    response = viewer.get("/")
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert b"style=" not in response.content
    assert b"<style" not in response.content
    assert b"onclick" not in response.content


def test_a_form_without_its_token_is_refused_politely(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("otto", "change_run"))
    response = client.post(f"/runs/{queued_run().id}/cancel")
    assert response.status_code == 403
    assert b"Form expired" in response.content


def test_an_overlong_body_is_refused_before_it_is_read(operator):
    length = str(conf.get("PAYLOAD_LIMIT") * 2)
    response = operator.post("/test/hello", {"payload": "1"}, headers={"content-length": length})
    assert response.status_code == 413
    assert b"Too large" in response.content


@pytest.mark.parametrize("path", ["/nope", "/runs/run_x", "/queues/nope", "/test/nope", "/a%00b"])
def test_says_what_is_not_there(viewer, path):
    response = viewer.get(path)
    assert response.status_code == 404
    assert b"Not found" in response.content


def test_shows_times_in_the_zone_of_the_address_or_the_cookie(viewer):
    run = queued_run()
    assert b"Asia/Kolkata (UTC+5:30)" in viewer.get(f"/runs/{run.id}?tz=Asia/Kolkata").content
    viewer.cookies["trackside_tz"] = "Europe/Zurich"
    assert b"Europe/Zurich (UTC+" in viewer.get(f"/runs/{run.id}").content
    assert b"UTC" in viewer.get(f"/runs/{run.id}?tz=../etc/passwd").content


def test_works_under_a_path_prefix(viewer):
    with override_script_prefix("/ops/"):
        page = viewer.get("/runs").content.decode()
    assert 'href="/ops/queues"' in page
    assert 'href="/queues"' not in page
