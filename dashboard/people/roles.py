"""Three groups of people: who looks, who acts, who governs (DEC-53). Made once; what an installation
changes in them stays.
"""

from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.db import connections

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
_LOOK = ("view_run",)
_ACT = (*_LOOK, "change_run", "view_payload")
#: Role -> permissions of the app `runs`.
PERMISSIONS = {
    VIEWER: _LOOK,
    OPERATOR: _ACT,
    ADMIN: (*_ACT, "change_queue", "reveal_payload"),
}
WORDS = {
    VIEWER: ("Viewer", "Looks at runs, but not at payloads, outputs, metadata and logs."),
    OPERATOR: ("Operator", "Triggers, replays, cancels and changes runs, and sees what they hold."),
    ADMIN: ("Admin", "Queues, schedules, keys, settings, members, and what is redacted."),
}


def group_name(role: str) -> str:
    return f"Trackside {role}"


NAMES = {group_name(role): role for role in PERMISSIONS}


def create(using: str = "default", **_: Any) -> None:
    """Make the groups that are missing; called after every migration."""
    if Group._meta.db_table not in connections[using].introspection.table_names():
        return  # the app is migrated by itself, before Django's accounts
    there = set(Group.objects.using(using).filter(name__in=NAMES).values_list("name", flat=True))
    if len(there) == len(NAMES):
        return
    create_permissions(installed.get_app_config("runs"), verbosity=0, using=using)
    for name, role in NAMES.items():
        if name not in there:
            _make(name, PERMISSIONS[role], using)


def _make(name: str, codenames: tuple[str, ...], using: str) -> None:
    found = Permission.objects.using(using).filter(
        content_type__app_label="runs", codename__in=codenames
    )
    Group.objects.using(using).create(name=name).permissions.set(found)


def of(user: User) -> str:
    """The role of a person: of his groups, the highest; empty for none of ours."""
    if user.is_superuser:
        return ADMIN
    names = {group.name for group in user.groups.all()}
    held = [role for role in PERMISSIONS if group_name(role) in names]
    return held[-1] if held else ""


def assign(user: User, role: str) -> None:
    """Take every other of our roles away; other groups and own permissions stay."""
    create()
    user.groups.remove(*Group.objects.filter(name__in=NAMES))
    user.groups.add(Group.objects.get(name=group_name(role)))
