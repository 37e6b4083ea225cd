"""Verbs one after the other: both orders of every pair that may meet at one run, on both databases."""

from functools import partial
from itertools import product

import pytest
from django.db import connection

from tests.faults import known, outcomes
from tests.faults.scenes import SCENES, VERBS

EVERY = [(scene, verb) for scene in SCENES for verb in VERBS[scene]]


@pytest.fixture(scope="module", autouse=True)
def _written():
    yield
    known.save()


def test_every_scene_has_verbs_and_every_verb_a_scene():
    assert VERBS.keys() == SCENES.keys()
    assert all(VERBS.values())


@pytest.mark.parametrize("scene", SCENES)
def test_a_verb_alone_writes_what_is_known(stage, hands, scene):
    """The list of points is generated; one that is not in it was never tried to fail at."""
    for name, verb in VERBS[scene].items():
        it = stage.set(scene)
        answer = hands[0].do(partial(verb, it), "record").result(30)
        known.check(f"points {connection.vendor} {scene} {name}", " ".join(hands[0].seen))
        if known.part(f"{scene} {name}", 3):
            found = outcomes.seen(it)
            known.check(f"{scene}: {name}", f"{answer!r} {found}")
            outcomes.judge(it, found)
        outcomes.emptied()


@pytest.mark.parametrize("scene", SCENES)
def test_two_verbs_in_a_row(stage, scene):
    for first, second in product(VERBS[scene], repeat=2):
        pair = f"{scene}: {first}, {second}"
        if known.is_known(pair) or not known.part(pair, 20):
            continue
        it = stage.set(scene)
        answers = VERBS[scene][first](it), VERBS[scene][second](it)
        found = outcomes.seen(it)
        known.check(pair, f"{answers!r} {found}")
        if known.ALL:  # else known to settle
            outcomes.judge(it, found)
        outcomes.emptied()
