"""Workers killed inside a write to another process of their cluster (A3 of the fault catalogue)."""

import os
import signal
from pathlib import Path

import pytest

from runs.models import LogLine
from tests.support.site import TASKS, is_gone, kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
FAILPOINTS = Path(__file__).with_name("failpoints")
#: Who reads what a worker writes.
READERS = {"lines": "bookkeeper", "wake": "dispatcher"}


@pytest.fixture
def cluster(site):
    return site.cluster(workers=3, tasks=f"{TASKS}{os.pathsep}{FAILPOINTS}")


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("channel", READERS)
def test_a_worker_killed_inside_a_write_harms_nobody_else(site, cluster, channel, moment):
    bystander, until = site.hold()
    go = site.home / "go"
    victim = site.trigger("die-writing", {"channel": channel, "moment": moment, "go": str(go)})
    worker = eventually(lambda: site.entered(victim))[0]["pid"]
    reader = cluster.only(READERS[channel])
    if moment == "within":
        kill(reader, signal.SIGSTOP)
    go.touch()
    eventually(lambda: is_gone(worker))
    kill(reader, signal.SIGCONT)
    # a log line is written while the run executes, a wake-up after it ended
    assert site.completed(victim).attempt_number == (2 if channel == "lines" else 1)
    for run_id in site.trigger_many("work", [{"seconds": 0.01}] * 20):
        assert site.completed(run_id).attempt_number == 1
    assert talked(site, until)
    assert site.completed(bystander).attempt_number == 1
    eventually(lambda: len(cluster.named("worker")) == 3)
    assert cluster.only(READERS[channel]) == reader


def talked(site, until):
    """The other channels still carry what is written."""
    run_id = site.trigger("talk", {"until": str(until)})
    eventually(LogLine.objects.filter(run_id=run_id, message="said hello").exists)
    until.touch()
    return site.completed(run_id)
