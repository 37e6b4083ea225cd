from datetime import timedelta

import pytest
from django.utils import timezone

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import errorgroups
from runs.models import AuditLog, ErrorEvent
from tests.support.failing import failed_run, group_of

pytestmark = pytest.mark.django_db
ADA = "user:ada"


@pytest.fixture
def group():
    return group_of(failed_run())


def last_change(group):
    event = ErrorEvent.objects.filter(fingerprint=group.pk).last()
    return event.kind, event.actor, event.text


def test_resolve(group):
    done = errorgroups.resolve(group.pk, actor=ADA, version="9", reason="mended")
    assert (done.status, done.resolved_in, done.changed_by) == ("resolved", "9", ADA)
    assert last_change(group) == ("resolved", ADA, "In version 9. mended")
    entry = AuditLog.objects.get()
    assert (entry.action, entry.target, entry.actor) == ("error.resolved", group.pk, ADA)


def test_ignore_says_until_when(group):
    moment = timezone.now() + timedelta(days=1)
    done = errorgroups.ignore(group.pk, actor=ADA, until=moment, rate=10, count=100, reason="known")
    assert (done.status, done.ignored_rate, done.ignored_total) == ("ignored", 10, 101)
    said = last_change(group)[2]
    assert f"{moment:%Y-%m-%d %H:%M} UTC or more than 10 failures within an hour" in said
    assert said.endswith("known")


def test_reopen_forgets_the_condition(group):
    errorgroups.ignore(group.pk, actor=ADA, rate=10)
    done = errorgroups.reopen(group.pk, actor=ADA)
    assert (done.status, done.ignored_rate, done.reason) == ("unresolved", None, "")


def test_reopening_what_is_open_changes_nothing(group):
    assert errorgroups.reopen(group.pk, actor=ADA).revision == 0
    assert not AuditLog.objects.exists()


def test_assign_and_note(group):
    assert errorgroups.assign(group.pk, "bob", actor=ADA).assignee == "bob"
    assert last_change(group) == ("assigned", ADA, "To bob.")
    errorgroups.write_note(group.pk, " asked the bank ", actor=ADA)
    assert last_change(group) == ("noted", ADA, "asked the bank")
    assert AuditLog.objects.count() == 2


def test_a_form_from_before_is_stale(group):
    errorgroups.resolve(group.pk, actor=ADA, seen=0)
    with pytest.raises(errorgroups.Stale) as caught:
        errorgroups.ignore(group.pk, actor="user:bob", seen=0)
    assert caught.value.group.status == "resolved"
    assert "resolved now" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": timezone.now() - timedelta(days=400)},
        {"rate": 0},
        {"count": -1},
        {"rate": 10**10},
        {"reason": "x" * 501},
    ],
)
def test_nonsense_is_refused(group, wrong):
    with pytest.raises(InvalidOption) as caught:
        errorgroups.ignore(group.pk, actor=ADA, **wrong)
    assert caught.value.option == next(iter(wrong))


def test_an_empty_note_is_refused(group):
    with pytest.raises(InvalidOption):
        errorgroups.write_note(group.pk, "  ", actor=ADA)


def test_an_unknown_group_is_named():
    with pytest.raises(NotFound, match="feed"):
        errorgroups.resolve("feed", actor=ADA)
