"""Workers killed inside a write to another process of their cluster (A3 of the fault catalogue)."""

import os
import signal
from pathlib import Path

import pytest

from runs.models import LogLine
from tests.support.judging import ended, used
from tests.support.site import TASKS, is_gone, kill, new_site, pause
from tests.support.waiting import eventually

# Between processes of one cluster: the database has no part in it.
pytestmark = [pytest.mark.acceptance, pytest.mark.once]
FAILPOINTS = Path(__file__).with_name("failpoints")
#: Who reads what a worker writes.
READERS = {"lines": "bookkeeper", "wake": "dispatcher"}


@pytest.fixture(scope="module")
def writers_site(template, tmp_path_factory, django_db_blocker):
    """One cluster of three workers: each test leaves it as it was, which is what it tries."""
    home = tmp_path_factory.mktemp("writers")
    with django_db_blocker.unblock(), new_site(template, home) as made:
        with made.in_view():
            made.cluster(workers=3, tasks=f"{TASKS}{os.pathsep}{FAILPOINTS}")
        with django_db_blocker.block():
            yield made
        ended(made)


@pytest.fixture
def site(writers_site, request, django_db_blocker):
    with django_db_blocker.unblock():
        yield from used(writers_site, request)


@pytest.fixture
def cluster(site):
    return site.clusters[0]


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("channel", READERS)
def test_a_worker_killed_inside_a_write_harms_nobody_else(site, cluster, channel, moment):
    bystander, until = site.hold()
    go = site.home / f"go-{channel}-{moment}"
    victim = site.trigger("die-writing", {"channel": channel, "moment": moment, "go": str(go)})
    worker = eventually(lambda: site.entered(victim))[0]["pid"]
    reader = cluster.only(READERS[channel])
    if moment == "within":
        pause(reader)
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
