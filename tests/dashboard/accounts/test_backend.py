import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import permissions
from dashboard.accounts.backend import Backend
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def person(**facts):
    """Somebody with one permission of their own and one by a group."""
    user = make_user("otto", "view_run", **facts)
    group = Group.objects.create(name="operators")
    group.permissions.add(Permission.objects.get(codename="change_run"))
    user.groups.add(group)
    return User.objects.get(pk=user.pk)


def test_own_and_shared_permissions_are_one_question():
    user = person()
    with CaptureQueriesContext(connection) as captured:
        assert user.has_perms(["runs.view_run", "runs.change_run"])
        assert not user.has_perm("runs.change_queue")
        assert permissions.may(user, permissions.OPERATE)
        assert not permissions.may(user, permissions.ADMINISTER)
    assert len(captured) == 1


def test_who_is_switched_off_may_nothing_and_who_is_root_all():
    assert not person(is_active=False).has_perm("runs.change_run")
    root = User.objects.create_superuser("root", password="a-good-password")
    assert root.has_perm("runs.change_queue")
    assert "runs.change_queue" in root.get_all_permissions()
    assert not person_of_nothing().get_all_permissions()


def test_who_is_switched_off_is_nobody():
    user, backend = make_user("nora"), Backend()
    found = backend.get_user(user.pk)
    assert (found, found.date_joined) == (user, user.date_joined)
    User.objects.update(is_active=False)
    assert backend.get_user(user.pk) is None
    assert backend.get_user(user.pk + 1) is None


def person_of_nothing():
    return make_user("nora")
