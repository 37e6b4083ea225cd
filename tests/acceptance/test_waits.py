"""Waiting runs outlive the processes that executed them."""

import json
import random
import signal
import time
from collections import Counter

import pytest

from engine import wait
from runs.models import Lease, Run
from runs.states import FINAL, RunStatus
from tests.support.site import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
KILL = signal.SIGKILL


def steps(site, run_id):
    """How often each step of a run was executed."""
    return Counter(note["name"] for note in site.notes() if note["run"] == run_id)


def test_a_waiting_run_survives_the_end_of_everything(site):
    token = wait.create_token()
    cluster = site.cluster()
    run_id = site.trigger("saga", {"token": token.id})
    eventually(lambda: site.run(run_id).status == RunStatus.WAITING)
    assert not Lease.objects.exists()
    cluster.send(KILL)
    cluster.ended()
    wait.complete_token(token, {"approved": True})
    again = site.cluster()
    eventually(lambda: site.run(run_id).status == RunStatus.WAITING)
    for worker in again.named("worker"):
        kill(worker, KILL)
    run = site.completed(run_id)
    assert (run.output, run.attempt_number) == ('{"approved":true}', 1)
    assert steps(site, run_id) == {"before": 1, "between": 1, "after": 1}


def test_a_body_outlasts_its_children_on_its_worker(site):
    """It begins again only where a worker dies with it; no child is made twice."""
    cluster = site.cluster(workers=1)
    run_id = site.trigger("many-children", 80)
    eventually(lambda: len(site.notes()) > 20)
    for worker in cluster.named("worker"):
        kill(worker, KILL)
    run = site.completed(run_id, within=60)
    assert json.loads(run.output) == list(range(80))
    assert Run.objects.filter(parent_id=run_id).count() == 80
    notes = Counter(note["what"] for note in site.notes())
    assert notes["begin"] == 2
    assert notes["child"] <= 81


class Asking:
    """A run that waits for tokens, one after the other."""

    def __init__(self, site, task, count):
        self.site, self.tokens = site, [wait.create_token() for _ in range(count)]
        self.run_id = site.trigger(task, {"tokens": [token.id for token in self.tokens]})

    def begun_after(self, number):
        """How often its body had begun by the time it waited for the token after this."""
        wait.complete_token(self.tokens[number])
        waiting = f"Waits for {self.tokens[number + 1].id}."
        eventually(lambda: self.site.run(self.run_id).reason == waiting)
        notes = self.site.notes()
        return sum(note["what"] == "begin" and note["run"] == self.run_id for note in notes)

    def ends_well(self):
        wait.complete_token(self.tokens[-1])
        run = self.site.completed(self.run_id)
        facts = (run.output, run.attempt_number, run.crash_count)
        assert facts == (str(len(self.tokens)), 1, 0)
        assert Run.objects.filter(parent_id=self.run_id).count() == 2 * len(self.tokens)


def test_a_body_stays_in_its_process_until_that_ends_or_has_other_work(site):
    """A death, and a run that needs the worker, cost one more beginning each."""
    cluster = site.cluster(workers=1, TRACKSIDE_ASYNC_SLOTS="4")
    plain = Asking(site, "asks", 7)
    assert [plain.begun_after(number) for number in range(3)] == [1, 1, 1]
    site.completed(site.trigger("work", {"seconds": 0}))
    assert [plain.begun_after(number) for number in (3, 4)] == [2, 2]
    kill(cluster.only("worker"), KILL)
    assert plain.begun_after(5) == 3
    plain.ends_well()

    eventually(lambda: cluster.named("host"))
    suspended = Asking(site, "async-asks", 5)
    assert [suspended.begun_after(number) for number in range(2)] == [1, 1]
    kill(cluster.only("host"), KILL)
    assert [suspended.begun_after(number) for number in (2, 3)] == [2, 2]
    suspended.ends_well()


def test_chains_through_a_queue_of_one_finish_though_workers_die(site):
    cluster = site.cluster(workers=2, TRACKSIDE_CRASH_LIMIT="100")
    chains = site.trigger_many("chain", [3] * 4)
    other = site.trigger("async-chain")
    chance = random.Random(7)
    until = time.monotonic() + 6
    while time.monotonic() < until:
        workers = cluster.named("worker")
        if workers:
            kill(chance.choice(workers), KILL)
        time.sleep(0.7)
    for run_id in chains:
        assert json.loads(site.completed(run_id, within=60).output) == 4
    assert site.completed(other).output == "true"
    below = Run.objects.filter(root_id__in=chains)
    assert below.count() == 3 * len(chains)
    assert not below.exclude(status=RunStatus.COMPLETED).exists()
    site.accepted += list(Run.objects.filter(status__in=FINAL).values_list("pk", flat=True))
    site.accepted = sorted(set(site.accepted))
