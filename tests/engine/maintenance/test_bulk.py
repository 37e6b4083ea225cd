"""How soon a cluster goes on with bulk actions."""

import pytest

from engine.maintenance import bulk
from runs import lifecycle
from runs.lifecycle.bulkoptions import BulkOptions
from runs.models import BulkAction, BulkKind
from tests.support.factories import trigger

pytestmark = pytest.mark.django_db


def begun(count=1, **options):
    runs = [trigger().pk for _ in range(count)]
    return lifecycle.begin_bulk(
        BulkKind.CANCEL, runs, actor="user:ann", options=BulkOptions(**options)
    )


def test_one_turn_follows_the_other_while_there_are_runs(monkeypatch):
    monkeypatch.setitem(lifecycle.bulk.PAGES, BulkKind.CANCEL, 2)
    monkeypatch.setattr("engine.maintenance.turns.TURN", 0)
    action = begun(5)
    assert [bulk.go_on_in_bulk() for _ in range(4)] == [bulk.SOON] * 3 + [None]
    assert BulkAction.objects.get(pk=action.pk).success == 5


def test_one_that_waits_for_its_time_is_looked_at_more_often():
    action = begun(2, per_minute=1)
    assert bulk.go_on_in_bulk() == bulk.SOON
    assert bulk.go_on_in_bulk() == bulk.WAITING
    lifecycle.pause_bulk(action.pk, actor="user:ann")
    assert bulk.go_on_in_bulk() is None
