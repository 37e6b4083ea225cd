"""Every point of every verb x {error, kill, stall}: nothing lost, decided once, nothing left behind.

The points are the writes of a verb's transactions, as `known.txt` lists them; `FAULTS=all` takes all of
them, else a part is taken that is always the same.
"""

import ast
from functools import partial
from pathlib import Path

import pytest

from runs import lifecycle
from runs.lifecycle import sessions
from tests.faults import known, outcomes, points
from tests.faults.scenes import SCENES, VERBS

ROOT = Path(__file__).parents[2]
#: Several transactions: what was committed before the fault stays, and the rest is done again.
IN_STEPS = {"hand_back", "reap", "child_is_lost", "cancel", "cancel_due", "purge", "turn"}


def keeping_house() -> None:
    """What every other cluster does meanwhile."""
    sessions.reap()
    lifecycle.promote_due()
    lifecycle.expire_due()
    lifecycle.time_out_due()
    lifecycle.fire_due()


def each(scene, part):
    """Verbs, with how many points each has."""
    for name, verb in VERBS[scene].items():
        if known.part(f"{part} {scene} {name}", 8):
            yield name, verb, len(known.points(scene, name))


@pytest.mark.parametrize("scene", SCENES)
def test_an_error_at_a_point_leaves_nothing(stage, hands, scene):
    """Whoever asked is told, nothing has happened, and asking again does all of it."""
    for name, verb, count in each(scene, "error"):
        it, whole = stage.set(scene), True
        before = outcomes.digest()
        for number in range(1, count + 1):
            told = hands[0].do(partial(verb, it), f"error:{number}").exception(30)
            assert told is not None, f"{scene} {name} swallows an error at {number}"
            whole = outcomes.digest() == before
            assert whole or name in IN_STEPS, f"{scene} {name} at {number} leaves something behind"
            if not whole:
                hands[0].do(partial(verb, it)).result(30)
                outcomes.judge(it, outcomes.seen(it))
                outcomes.emptied()
                it = stage.set(scene)
                before = outcomes.digest()
        answer = hands[0].do(partial(verb, it)).result(30)
        assert f"{answer!r} {outcomes.seen(it)}" == known.lines()[f"{scene}: {name}"], name
        outcomes.emptied()


@pytest.mark.parametrize("scene", SCENES)
def test_a_process_killed_at_a_point_is_recovered_from(stage, scene):
    for name, verb, count in each(scene, "kill"):
        for number in known.one_of(f"kill {scene} {name}", count):
            it = stage.set(scene)
            before = outcomes.digest()
            assert points.killed(partial(verb, it), number), f"{scene} {name} at {number}"
            assert outcomes.digest() == before or name in IN_STEPS, f"{scene} {name} at {number}"
            outcomes.judge(it, outcomes.seen(it))
            outcomes.emptied()


@pytest.mark.parametrize("scene", SCENES)
def test_a_process_that_stands_still_at_a_point_harms_nobody(stage, hands, scene):
    """Others keep house meanwhile: they wait, pass it over, or take back what it held."""
    for name, verb, count in each(scene, "stall"):
        for number in known.one_of(f"stall {scene} {name}", count):
            it = stage.set(scene)
            with points.stalled(hands[0], partial(verb, it), number) as one:
                other = hands[1].do(keeping_house)
                points.met(hands[1], other)
            one.result(30)
            other.result(30)
            outcomes.judge(it, outcomes.seen(it))
            outcomes.emptied()


#: Transactions that move no run: definitions, settings, views, counts. One of them that fails is asked for again.
ADMINISTRATION = {
    "alerting",
    "alerts",
    "allowances",
    "apikeys",
    "bulk",
    "bulkverbs",
    "byhand",
    "counting",
    "envvars",
    "errorgroups",
    "finalhooks",
    "fleet",
    "keeping",
    "months",
    "orders",
    "regressing",
    "requests",
    "revealing",
    "rollups",
    "sheet",
    "templates",
    "versions",
    "views",
    "onetime",
    "backfilling",
    "unlocking",
    "debouncing",
    "overlapping",
    "streams",
    "batches",
    "canaries",
    "notes",
    "taskpauses",
    "withholding",
}


def transactions() -> set[str]:
    """Modules of the domain that have transactions of their own."""
    return {
        path.stem
        for path in (ROOT / "runs" / "lifecycle").glob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "atomic"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }


def tried() -> set[str]:
    """Modules whose verbs are in some scene."""
    return {
        "annotating", "batchstream", "canceling", "editing", "firing", "keys", "mending", "moving", "purging",
        "queues", "replaying", "retention", "schedules", "sessions", "tokens", "triggering", "waiting", "withdrawing",
    }  # fmt: skip


def test_every_transaction_of_the_domain_is_tried_or_administration():
    assert transactions() - ADMINISTRATION == tried()
    assert not ADMINISTRATION & tried()
