"""Random kills under load; the seed is in the name of the test and in its output."""

import os
import random
import signal
from functools import partial

import pytest

from runs import lifecycle
from tests.support import invariants
from tests.support.site import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
KILLS = 15


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [int(os.environ.get("CHAOS_SEED", "20240607"))])
def test_random_kills_break_no_promise(site, seed):
    print("seed", seed)
    chosen = random.Random(seed)
    for _ in range(2):
        site.cluster(workers=2)
    load(site, chosen)
    for number in range(KILLS):
        # progress between two kills, so that they meet different moments
        wanted = len(site.notes()) + chosen.randrange(1, 8)
        eventually(partial(has_notes, site, wanted), within=20)
        strike(site, chosen, whole=number in (5, 10))
        if number % 4 == 0:
            lifecycle.cancel(chosen.choice(site.accepted), actor="user:chaos")
    invariants.check(site, {"narrow": 3, "narrow:a": 2, "narrow:b": 2}, within=60)
    print(invariants.statuses(site))


def has_notes(site, count):
    return len(site.notes()) >= count


def load(site, chosen):
    """Some 200 runs: quick and slow, limited, flaky, delayed, and a few that kill their worker."""
    slow = [{"seconds": chosen.uniform(0, 0.1)} for _ in range(90)]
    site.trigger_many("work", slow, max_attempts=10)
    for key in "ab":
        limited = [{"seconds": chosen.uniform(0.01, 0.05)} for _ in range(30)]
        site.trigger_many("narrow", limited, concurrency_key=key, max_attempts=10)
    site.trigger_many("flaky", [{"fail": chosen.randrange(3)} for _ in range(20)])
    site.trigger_many("work", [{}] * 20, delay=chosen.uniform(0.5, 3))
    site.trigger_many("end", ["exit", "segfault", "system-exit", "abort"])
    site.trigger_many("parent", [None, "die"])


def strike(site, chosen, *, whole):
    """Kill one process of a cluster, or all of it and start another."""
    cluster = chosen.choice([c for c in site.clusters if c.process.poll() is None])
    if whole:
        for pid in cluster.tree:
            kill(pid, signal.SIGKILL)
        cluster.ended()
        site.launch(workers=2)
        return
    kinds = ["worker"] * 8 + ["dispatcher", "bookkeeper"]
    if victims := cluster.named(chosen.choice(kinds)):
        kill(chosen.choice(victims), signal.SIGKILL)
