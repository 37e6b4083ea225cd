import pytest
from django.test import Client

from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def test_logs_in_and_out():
    make_user("vera", "view_run")
    client = Client()
    fields = {"username": "vera", "password": "a-good-password", "next": "/runs"}
    assert client.post("/login/", fields)["Location"] == "/runs"
    assert client.get("/runs").status_code == 200
    assert client.post("/logout/").status_code == 302
    assert client.get("/runs").status_code == 302


def test_says_what_was_wrong_and_keeps_the_name():
    page = Client().post("/login/", {"username": "vera<", "password": "x"}).content.decode()
    assert "do not match" in page
    assert 'value="vera&lt;"' in page
