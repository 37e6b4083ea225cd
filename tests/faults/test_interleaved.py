"""Every two verbs that may meet at one run, one of them stopped in the middle of its transaction.

The first stands still at one of its writes, with the locks it has by then; the second begins and ends,
or waits for a lock. Then the first goes on. What comes of it must be what comes of the two in one order
or the other (`known.txt`), without a deadlock.
"""

from functools import partial
from itertools import product

import pytest
from django.db import connection

from tests.faults import known, outcomes, points
from tests.faults.scenes import SCENES, VERBS, Scene

#: Pass over what somebody has locked, and find it the next time: then only the first has happened.
NEVER_WAIT = {
    "claim",
    "claim_started",
    "purge",
    "promote",
    "expire",
    "reap",
    "child_is_lost",
    "time_out_token",
    "fire",
    "prune",
    "mend",
    "cancel_due",
}
#: Two or more transactions: the other verb may come between them, which has outcomes of its own.
IN_STEPS = {"hand_back", "reap", "child_is_lost", "cancel", "cancel_due"}


@pytest.fixture(scope="module", autouse=True)
def _written():
    yield
    known.save()


@pytest.fixture(autouse=True)
def _on_a_server(stage):
    if connection.vendor != "postgresql":
        pytest.skip("one transaction at a time writes an SQLite file: test_alone.py has all orders")


@pytest.mark.parametrize("scene", SCENES)
def test_two_verbs_at_the_same_time(stage, hands, scene):
    wrong = []
    for first, second in product(VERBS[scene], repeat=2):
        name = f"{scene} {first} {second}"
        if not known.part(name, 16) or (known.WRITES and not IN_STEPS & {first, second}):
            continue
        for number in known.one_of(name, len(known.points(scene, first))):
            it = stage.set(scene)
            found = interleaved(it, hands, scene, (first, second), number)
            if not is_legal(scene, first, second, *found):
                wrong.append(f"{name} at {number}: {found}")
            if known.ALL:  # else known to settle
                outcomes.judge(it, found[1])
            outcomes.emptied()
    assert not wrong, "\n".join(wrong)


def interleaved(
    it: Scene,
    hands: tuple[points.Hand, points.Hand],
    scene: str,
    pair: tuple[str, str],
    number: int,
) -> tuple[tuple[object, object], str]:
    """The answers of both, and what is there afterwards. A deadlock is raised."""
    first, second = (partial(VERBS[scene][name], it) for name in pair)
    with points.stalled(hands[0], first, number) as one:
        other = hands[1].do(second)
        points.met(hands[1], other)
    answers = one.result(30), other.result(30)
    return answers, outcomes.seen(it)


def is_legal(
    scene: str, first: str, second: str, answers: tuple[object, object], found: str
) -> bool:
    """As one after the other, in the one order or in the other."""
    known_ones = known.lines()
    one, two = answers
    if second in NEVER_WAIT and known_ones[f"{scene}: {first}"] == f"{one!r} {found}":
        return True
    if known_ones.get(f"{scene}: {first}, {second}") == f"{(one, two)!r} {found}":
        return True
    if known_ones.get(f"{scene}: {second}, {first}") == f"{(two, one)!r} {found}":
        return True
    in_steps = bool(IN_STEPS & {first, second})
    return in_steps and known.check_between(
        f"{scene}: {first}, {second}", f"{(one, two)!r} {found}"
    )
