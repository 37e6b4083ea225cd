from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.accounts import first

pytestmark = pytest.mark.django_db


def test_logs_the_first_administrator_in(client):
    response = client.post(first.link())
    assert response.status_code == 302
    assert get_user(client).is_superuser


def test_makes_the_administrator_once_and_without_a_password():
    first.link()
    first.link()
    assert not User.objects.get().has_usable_password()


def test_there_is_no_link_once_an_administrator_has_a_password():
    User.objects.create_superuser("someone", password="a long enough password")
    assert first.link() is None


def test_works_once(client):
    link = first.link()
    client.post(link)
    client.logout()
    assert client.post(link).status_code == 410
    assert not get_user(client).is_authenticated


def test_looking_at_the_link_does_not_spend_it(client):
    link = first.link()
    assert client.head(link).status_code == 200
    assert b"<form" in client.get(link).content
    assert client.post(link).status_code == 302


def test_expires(client):
    link = first.link()
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert client.post(link).status_code == 410


def test_is_worth_nothing_for_another_user(client):
    token = first.link().rstrip("/").rpartition("/")[2]
    other = User.objects.create_superuser("other")
    assert client.post(f"/first-login/{other.pk}/{token}/").status_code == 410


def test_of_two_people_at_once_only_one_gets_in():
    first.link()
    user, same_user = User.objects.get(), User.objects.get()
    assert [first.spend(user), first.spend(same_user)] == [True, False]


def test_needs_the_form_of_the_page():
    assert Client(enforce_csrf_checks=True).post(first.link()).status_code == 403


def test_no_other_site_learns_the_address(client):
    assert client.get(first.link())["Referrer-Policy"] == "same-origin"
