"""Metadata and tags of a run that is there already."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption, NotFound, PayloadTooLarge
from runs.models import Run, RunTag
from tests.support.factories import complete, executing_run, queued_run

pytestmark = pytest.mark.django_db


def operation(kind, key, value=None):
    return {"type": kind, "key": key, "value": value}


def metadata(run):
    return json.loads(Run.objects.get(pk=run.pk).metadata or "{}")


@pytest.fixture
def family():
    root = queued_run(metadata='{"n": 1}')
    parent = queued_run(parent_id=root.pk)
    return root, parent, queued_run(parent_id=parent.pk)


def test_operations_reach_the_run_its_parent_and_its_root(family):
    child = family[-1]
    more = {"parent": [operation("set", "p", 1)], "root": [operation("increment", "n", 1)]}
    assert lifecycle.update_metadata(child.pk, [operation("set", "c", 1)], **more) == {"c": 1}
    assert [metadata(run) for run in family] == [{"n": 2}, {"p": 1}, {"c": 1}]


def test_a_run_without_a_parent_is_its_own():
    run = queued_run()
    more = {"parent": [operation("increment", "n", 1)], "root": [operation("increment", "n", 1)]}
    assert lifecycle.update_metadata(run.pk, **more) == {"n": 2}


def test_all_or_nothing(family):
    child = family[-1]
    with pytest.raises(InvalidOption):
        lifecycle.update_metadata(
            child.pk, [operation("set", "c", 1)], root=[operation("increment", "n", "x")]
        )
    assert [metadata(run) for run in family] == [{"n": 1}, {}, {}]


def test_too_much_is_refused(settings):
    run = queued_run(metadata='{"a": 1}')
    with pytest.raises(PayloadTooLarge, match="262,144"):
        lifecycle.update_metadata(run.pk, [operation("set", "b", "x" * 262_144)])
    assert metadata(run) == {"a": 1}


def test_an_hour_after_its_end_a_run_is_closed():
    one = executing_run()
    complete(one)
    lifecycle.update_metadata(one.run_id, [operation("set", "a", 1)])
    Run.objects.filter(pk=one.run_id).update(finished_at=timezone.now() - timedelta(minutes=61))
    with pytest.raises(InvalidOption, match="completed"):
        lifecycle.update_metadata(one.run_id, [operation("set", "a", 2)])
    assert lifecycle.update_metadata(one.run_id) == {"a": 1}


def test_a_replay_starts_from_what_the_run_was_triggered_with():
    run = queued_run(metadata='{"a": 1}')
    lifecycle.update_metadata(run.pk, [operation("set", "a", 2)])
    again = lifecycle.replay(run.pk, actor="test")
    assert json.loads(Run.objects.get(pk=again.run_id).metadata) == {"a": 1}


@pytest.mark.parametrize(
    "verb", [lifecycle.update_metadata, lambda run: lifecycle.add_tags(run, ["a"])]
)
def test_an_unknown_run_is_said(verb):
    with pytest.raises(NotFound, match="run_nope"):
        verb("run_nope")


def test_tags_are_added():
    run = queued_run(tags=("b", "a"))
    assert lifecycle.add_tags(run.pk, ["c", "a"]) == ["a", "b", "c"]
    assert Run.objects.get(pk=run.pk).tag_list == ["a", "b", "c"]
    assert RunTag.objects.filter(run_id=run.pk).count() == 3


@pytest.mark.parametrize("tags", [["x" * 129], [""], [str(n) for n in range(10)]])
def test_of_tags_that_do_not_fit_none_is_added(tags):
    run = queued_run(tags=("a",))
    with pytest.raises(InvalidOption):
        lifecycle.add_tags(run.pk, [*tags, "good"])
    assert RunTag.objects.filter(run_id=run.pk).count() == 1


@pytest.mark.django_db(transaction=True)
def test_children_at_the_same_time_add_up():
    root = queued_run()
    children = [queued_run(parent_id=root.pk) for _ in range(4)]

    def count(child):
        for _ in range(5):
            lifecycle.update_metadata(child.pk, root=[operation("increment", "n", 1)])
        connection.close()

    threads = [threading.Thread(target=count, args=[child]) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metadata(root) == {"n": 20}
