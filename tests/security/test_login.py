"""Passwords: which are taken, how slowly they are guessed, and what is on record of it."""

import re

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from dashboard.people import members, roles, throttle
from runs.models import AuditLog, RequestWindow
from tests.support.rows import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.once]
GOOD, WRONG = "a-good-password", "no such password"


@pytest.fixture(autouse=True)
def vera():
    return make_user("vera", "view_run")


def tried(password=WRONG, name="vera", address="192.0.2.1", **fields):
    sent = {"username": name, "password": password, **fields}
    return Client().post("/login/", sent, REMOTE_ADDR=address)


def on_record():
    return list(AuditLog.objects.order_by("pk").values_list("actor", "action", "target", "ip"))


def test_fifty_tries_are_ten():
    answers = [tried() for _ in range(50)]
    assert [one.status_code for one in answers] == [200] * 10 + [429] * 40
    last = answers[-1]
    assert 0 < int(last.headers["Retry-After"]) <= throttle.WINDOW
    assert "Too many tries" in last.content.decode()
    assert tried(GOOD).status_code == 429
    assert [action for _, action, _, _ in on_record()] == ["account.failed"] * 10 + ["account.slowed"]  # fmt: skip


def test_nobody_is_locked_out():
    for _ in range(12):
        tried()
    assert tried(GOOD, address="192.0.2.9").status_code == 302
    assert tried(GOOD, name="vera", address="192.0.2.1").status_code == 429


def test_it_is_over_with_its_time(clock):
    for _ in range(12):
        tried()
    clock("09:20:00")
    assert tried(GOOD).status_code == 302


def test_who_got_in_starts_anew():
    for _ in range(3):
        assert [tried().status_code for _ in range(9)] == [200] * 9
        assert tried(GOOD).status_code == 302
    assert {row.used for row in RequestWindow.objects.all()} == {0, 27}


def test_one_address_tries_no_end_of_accounts(monkeypatch):
    monkeypatch.setattr(throttle, "FOR_ALL", 5)
    codes = [tried(name=f"user{number}").status_code for number in range(7)]
    assert codes == [200] * 5 + [429] * 2
    assert tried(GOOD, address="198.51.100.7").status_code == 302


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "not an address", False),
    ],
)
def test_a_network_of_one_person_is_one(first, second, same):
    assert (throttle._place(first) == throttle._place(second)) is same


def test_capitals_and_spaces_are_no_other_account():
    for name in ("vera", "VERA", " vera ", "Vera"):
        for _ in range(3):
            answer = tried(name=name)
    assert answer.status_code == 429


def test_old_counts_go(monkeypatch, clock):
    monkeypatch.setattr(throttle, "SELDOM", 1)
    RequestWindow.objects.create(caller="key:1", number=1, used=1)
    tried()
    clock("10:00:00")
    tried(address="198.51.100.7")
    assert RequestWindow.objects.filter(caller__startswith="login:").count() == 2
    assert RequestWindow.objects.filter(caller="key:1").exists()


def test_the_admins_form_is_the_same_one(vera):
    assert Client().get("/admin/", follow=True).redirect_chain == [("/admin/login/?next=/admin/", 302)]  # fmt: skip
    for _ in range(10):
        Client().post("/admin/login/", {"username": "vera", "password": WRONG})
    assert Client().post("/admin/login/", {"username": "vera", "password": GOOD}).status_code == 429
    client = Client()
    client.force_login(vera)
    page = client.get("/admin/", follow=True)
    assert page.status_code == 200
    assert "Another one might" in page.content.decode()


@pytest.mark.parametrize("name", ["vera", "nobody", "olaf", "ina"])
def test_an_account_that_is_not_there_takes_as_long(name, monkeypatch):
    make_user("olaf", is_active=False)
    members.invite("ina", roles.VIEWER, actor="user:ada")
    hashed = []
    encode = hashers.MD5PasswordHasher.encode
    monkeypatch.setattr(
        hashers.MD5PasswordHasher,
        "encode",
        lambda self, *given: hashed.append(given[0]) or encode(self, *given),
    )
    answer = tried(name=name)
    assert len(hashed) == 1
    assert re.findall(r'role="alert">[^<]*', answer.content.decode()) == [
        'role="alert">That name and password do not match an account.'
    ]


def test_logins_are_on_record_with_their_address():
    client = Client()
    sent = {"username": "vera", "password": GOOD}
    client.post("/login/", sent, REMOTE_ADDR="2001:db8::1")
    client.post("/logout/", REMOTE_ADDR="unix socket")
    tried(name="hunter2-typed-in-the-wrong-field")
    tried(name="ver\x00a")
    assert on_record() == [
        ("user:vera", "account.login", "", "2001:db8::1"),
        ("user:vera", "account.logout", "", None),
    ]


@pytest.mark.parametrize(
    ("password", "fine"),
    [
        ("elevenchars", False),
        ("123456789012", False),
        ("q1w2e3r4t5y6", False),
        ("veraveravera", False),
        ("correct horse battery", True),
        ("é" * 12 + "x" * 52 + "\U0001f512", True),
        ("nocapitalsnodigitsnosigns", True),
    ],
)
def test_which_passwords_are_taken(password, fine, vera):
    try:
        validate_password(password, User(username="vera vera vera"))
    except ValidationError:
        assert not fine
    else:
        assert fine


def test_the_own_password_is_changed_by_the_one_that_holds(vera):
    here, there = Client(), Client()
    here.force_login(vera)
    there.force_login(vera)
    fresh = "correct horse battery"
    form = {"old_password": WRONG, "new_password1": fresh, "new_password2": fresh}
    assert "Change password" in here.get("/").content.decode()
    assert "entered incorrectly" in here.post("/password/", form).content.decode()
    short = form | {"old_password": GOOD, "new_password1": "short", "new_password2": "short"}
    assert "too short" in here.post("/password/", short).content.decode()
    assert here.post("/password/", form | {"old_password": GOOD}).status_code == 302
    assert here.get("/runs").status_code == 200
    assert there.get("/runs").status_code == 302
    assert tried(GOOD).status_code == 200
    assert tried(fresh).status_code == 302
    assert "account.password" in {action for _, action, _, _ in on_record()}
    assert Client().get("/password/").status_code == 302
