"""Processes that share one SQLite file (D rows of the fault catalogue)."""

import signal
import subprocess
import sys
import threading
from functools import partial

import pytest
from django.db import connection, connections

from runs import lifecycle
from runs.models import Run, WorkerSession
from runs.models.run import Source
from tests.support.instance import ROOT
from tests.support.site import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance

HOLDER = """
import django; django.setup()
from django.db import connection, transaction
from django.utils import timezone
from runs.models import Queue
with transaction.atomic():
    Queue.objects.create(name="never")
    print("inside", flush=True)
    import time; time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _only_sqlite(request):
    if request.config.option.database != "sqlite":
        pytest.skip("a fault of SQLite")


def test_a_writer_killed_inside_its_transaction_blocks_nobody(calm):
    until = calm.home / "go"
    run_id = calm.trigger("hold", {"until": str(until)})
    eventually(lambda: calm.entered(run_id))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env=calm.instance.environment, cwd=ROOT,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "inside\n"
        until.touch()
        kill(holder.pid, signal.SIGKILL)
    assert calm.completed(run_id).attempt_number == 1
    assert integrity() == "ok"


def test_workers_killed_while_they_write_leave_the_file_whole(site):
    cluster = site.cluster(workers=3)
    ids = site.trigger_many("work", [{}] * 150)
    for done in (10, 30, 50, 70, 90):
        eventually(partial(has_finished, ids, done))
        kill(cluster.only("worker"), signal.SIGKILL)
    for run_id in ids:
        site.ended(run_id)
    assert integrity() == "ok"


def test_a_storm_of_writers_starves_no_heartbeat(calm):
    """Eight writers and two readers beside a busy cluster: its session stays the same."""
    session = calm.session(calm.clusters[0])
    stop = threading.Event()
    threads = [
        threading.Thread(target=repeat, args=(stop, duty)) for duty in [write] * 8 + [read] * 2
    ]
    for thread in threads:
        thread.start()
    try:
        for run_id in calm.trigger_many("work", [{"seconds": 0.02}] * 60):
            assert calm.completed(run_id, within=40).attempt_number == 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [found.pk for found in WorkerSession.objects.all()] == [session.pk]


def repeat(stop, duty):
    while not stop.is_set():
        duty()
    connections.close_all()


def write():
    lifecycle.trigger("nobody-knows", None, source=Source.API)


def read():
    list(Run.objects.newest_first()[:50])


def has_finished(ids, count):
    return Run.objects.filter(pk__in=ids, finished_at__isnull=False).count() >= count


def integrity():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        return cursor.fetchone()[0]
