"""Members and their roles."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from dashboard.people import members, roles
from runs.errors import InvalidOption
from runs.models import AuditLog
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def admin():
    roles.create()
    user = make_user("ada")
    roles.assign(user, roles.ADMIN)
    return user


def actions():
    return list(AuditLog.objects.order_by("id").values_list("action", "target"))


def test_somebody_is_invited_chooses_a_password_and_is_in(admin):
    page = client_of(admin).post("/settings/members", {"name": "vera", "role": "operator"})
    assert page.headers["cache-control"].count("no-store")
    link = re.search(r"http://testserver(/invitation/\S+?)<", page.content.decode())[1]
    guest = Client()
    assert "Welcome, vera" in guest.get(link).content.decode()
    assert guest.post(link, {"new_password1": "short", "new_password2": "short"}).status_code == 422
    sent = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert guest.post(link, sent).status_code == 302
    assert guest.get("/runs").status_code == 200
    assert guest.post(link, sent).status_code == 410
    vera = User.objects.get(username="vera")
    assert vera.has_perms(["runs.change_run", "runs.view_payload"])
    assert not vera.has_perm("runs.change_queue")
    assert actions() == [("member.invite", "vera"), ("account.login", "")]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "ada", "role": "viewer"}, "already"),
        ({"name": "a b\x00", "role": "viewer"}, "Null characters"),
        ({"name": "", "role": "viewer"}, "required"),
        ({"name": "x", "role": "king"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_is_refused_with_the_form(admin, sent, said):
    answer = client_of(admin).post("/settings/members", sent)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not actions()


def act(client, user, **sent):
    return client.post(f"/settings/members/{user.pk}", sent)


def test_roles_change_and_accounts_are_switched_off_and_on(admin):
    client, vera = client_of(admin), make_user("vera")
    guest = client_of(vera)
    assert guest.get("/runs").status_code == 403
    act(client, vera, act="role", role="viewer")
    assert guest.get("/runs").status_code == 200
    act(client, vera, act="role", role="admin")
    assert roles.of(User.objects.get(pk=vera.pk)) == "admin"
    assert vera.groups.count() == 1
    act(client, vera, act="deactivate")
    assert guest.get("/runs").status_code == 302
    act(client, vera, act="activate")
    assert "is shown this once" not in act(client, vera, act="link").content.decode()
    said = [action for action, _ in actions()]
    assert said == ["member.role", "member.role", "member.deactivate", "member.activate", "member.link"]  # fmt: skip


@pytest.mark.parametrize("sent", [{"act": "role", "role": "viewer"}, {"act": "deactivate"}])
def test_the_last_admin_stays(admin, sent):
    answer = act(client_of(admin), admin, **sent)
    assert answer.status_code == 409
    assert members.LAST in answer.content.decode()
    assert User.objects.get(pk=admin.pk).is_active
    assert roles.of(User.objects.get(pk=admin.pk)) == "admin"
    assert not actions()
    make_user("root", is_superuser=True)
    assert act(client_of(admin), admin, **sent).status_code == 303


def test_nobody_rises_above_a_superuser(admin):
    root = make_user("root", is_superuser=True)
    for sent in ({"act": "link"}, {"act": "deactivate"}, {"act": "role", "role": "viewer"}):
        assert act(client_of(admin), root, **sent).status_code == 409
    assert "aria-disabled" in client_of(admin).get(f"/settings/members/{root.pk}").content.decode()
    with pytest.raises(InvalidOption):
        members.set_active(root, False, by=admin)


def test_a_link_of_somebody_switched_off_is_over(admin):
    vera, link = members.invite("vera", "viewer", actor="user:ada")
    members.set_active(vera, False, by=admin)
    assert Client().get(link).status_code == 410
    assert Client().get(link.replace(f"/{vera.pk}/", f"/{admin.pk}/")).status_code == 410


@pytest.mark.parametrize("path", ["/settings/members", "/settings/members/1", "/settings/audit", "/settings/audit.csv"])  # fmt: skip
def test_only_admins_look(operator, path):
    assert operator.get(path).status_code == 403


def test_the_list_goes_on(admin, monkeypatch):
    monkeypatch.setattr("dashboard.pages.members.PAGE", 2)
    for name in "xyz":
        make_user(name)
    client = client_of(admin)
    first = client.get("/settings/members").content.decode()
    more = re.search(r"\?after=\d+", first)[0]
    assert ">z<" not in first
    assert ">z<" in client.get(f"/settings/members{more}").content.decode()
    assert client.get("/settings/members?after=x").status_code == 200


def test_settings_lead_to_what_one_may_see(admin, viewer):
    assert client_of(admin).get("/settings").headers["location"] == "/settings/members"
    assert viewer.get("/settings").headers["location"] == "/settings/limits"


def test_migrate_makes_the_roles(db):
    roles.Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert set(roles.Group.objects.values_list("name", flat=True)) >= set(roles.NAMES)


def test_what_an_installation_changed_in_a_role_stays(admin):
    group = roles.Group.objects.get(name="Trackside viewer")
    group.permissions.clear()
    roles.create()
    assert not group.permissions.exists()
