"""Two ends that wake the same two runs, in whatever order: nobody waits in a circle (H8)."""

from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import store, tokens
from runs.lifecycle.store import Done, Next
from runs.models import Waitpoint
from tests.faults import known, outcomes, points
from tests.faults.scenes import PAST, WHO, complete, new, time_out, took
from tests.faults.scenes import cancel as stop
from tests.support import factories
from tests.support.factories import S
from tests.support.threads import together as together_now


@pytest.fixture(autouse=True)
def _on_a_server(stage):
    if connection.vendor != "postgresql":
        pytest.skip("one transaction at a time writes an SQLite file")


@pytest.fixture
def scenes(stage):
    """An empty scene for every place at which the first of two may stand still."""

    def each():
        for number in range(1, 12, 1 if known.ALL else 3):
            yield number, stage.set()
            outcomes.emptied()

    return each()


def waits(it, name, *targets):
    """A run that waits for all of these."""
    one = took(it, new(it, name, "help"), it.by)
    assert factories.start(one)
    pause = it.wakes(targets=targets, one_suffices=True)
    assert store.current().suspend(*one.lease, pause).outcome == "waiting"
    return one


def together(hands, first, second, number):
    """The first stops at a point, the second goes as far as it can, the first goes on."""
    with points.stalled(hands[0], first, number) as one:
        other = hands[1].do(second)
        points.met(hands[1], other)
    return one.result(30), other.result(30)


def test_tokens_that_time_out_together_and_one_that_is_completed(scenes, hands):
    for number, it in scenes:
        ids = sorted(tokens.create(timeout=3600)[0].pk for _ in range(3))
        runs = [waits(it, "a", ids[1], ids[2]), waits(it, "b", ids[0], ids[2])]
        Waitpoint.objects.filter(pk__in=ids[:2]).update(timeout_at=timezone.now() + PAST)
        together(
            hands, lifecycle.time_out_due, partial(tokens.complete, ids[2], "1", by=WHO), number
        )
        while lifecycle.time_out_due():
            pass
        assert [one.run.status for one in runs] == ["QUEUED", "QUEUED"]
        assert all(factories.history(one.run_id).count("resumed") == 1 for one in runs)


def child(it, name):
    one = took(it, new(it, name, "help", awaited=True), it.by)
    assert factories.start(one)
    return one


def test_children_that_end_in_one_write_and_one_that_ends_alone(scenes, hands):
    for number, it in scenes:
        children = [child(it, name) for name in "xyz"]
        x, y, z = children
        runs = [waits(it, "a", y.run_id, z.run_id), waits(it, "b", x.run_id, z.run_id)]
        together(
            hands,
            partial(end_together, children[:2]),
            partial(factories.complete, z),
            number,
        )
        assert [one.run.status for one in runs] == ["QUEUED", "QUEUED"]
        assert {one.run.status for one in children} == {S.COMPLETED}


def test_two_runs_that_begin_to_wait_for_two_tokens_crosswise(scenes, hands):
    for number, it in scenes:
        first, second = (tokens.create()[0].pk for _ in range(2))
        runs = []
        for name in "ab":
            one = took(it, new(it, name, "help"), it.by)
            assert factories.start(one)
            runs.append(one)
        orders = (first, second), (second, first)
        acts = [
            leaving(one, it.wakes(targets=targets))
            for one, targets in zip(runs, orders, strict=True)
        ]
        made = together(hands, *acts, number)
        assert {one.outcome for one in made} == {"waiting"}
        together(
            hands,
            partial(tokens.complete, first, "1", by=WHO),
            partial(tokens.complete, second, "1", by=WHO),
            number,
        )
        assert [one.run.status for one in runs] == ["QUEUED", "QUEUED"]


def test_a_cancel_an_end_and_a_time_out_at_once(stage):
    """Of three, one ends the run; the others hear that it was not they."""
    for _ in range(3):
        it = stage.set("executing")
        together_now([partial(act, it) for act in (stop, complete, time_out)])
        assert it.it.run.status in {S.COMPLETED, S.TIMED_OUT, S.CANCELED}
        outcomes.settle(it)
        outcomes.check(it)
        outcomes.emptied()


def end_together(those):
    """As a worker does with what it executed in a row."""
    done = [Done(*one.lease, "1", 0, 1) for one in those]
    assert store.current().turn(done, Next.NONE, 1, 7).lost == []


def leaving(one, pause):
    """On the connection of whoever calls it."""
    return lambda: store.current().suspend(*one.lease, pause)
