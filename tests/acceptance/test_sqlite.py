"""Processes that share one SQLite file (D rows of the fault catalogue)."""

import signal
import subprocess
import sys
import threading

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
        assert holder.stdout.readline() == "inside\n"
        until.touch()
        kill(holder.pid, signal.SIGKILL)
    assert calm.completed(run_id).attempt_number == 1
    assert integrity() == "ok"


def test_workers_killed_while_they_write_leave_the_file_whole(site):
    cluster = site.cluster(workers=3)
    ids = site.trigger_many("work", [{}] * 150)
    for done in (10, 30, 50, 70, 90):
        eventually(lambda done=done: finished(ids) >= done)
        kill(cluster.only("worker"), signal.SIGKILL)
    for run_id in ids:
        site.ended(run_id)
    assert integrity() == "ok"


def test_a_storm_of_writers_starves_no_heartbeat(calm):
    """Eight writers and two readers beside a busy cluster: no beat comes later than half a lease."""
    stop, late = threading.Event(), []

    def write():
        while not stop.is_set():
            lifecycle.trigger("nobody-knows", None, source=Source.API)
        connections.close_all()

    def look():
        while not stop.is_set():
            for session in WorkerSession.objects.filter(state="ALIVE"):
                late.append((session.expires_at - session.heartbeat_at).total_seconds())
            list(Run.objects.newest_first()[:50])
        connections.close_all()

    threads = [threading.Thread(target=work) for work in [write] * 8 + [look] * 2]
    for thread in threads:
        thread.start()
    try:
        ids = calm.trigger_many("work", [{"seconds": 0.02}] * 60)
        for run_id in ids:
            calm.completed(run_id, within=40)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert WorkerSession.objects.filter(state="ALIVE").count() == 1
    assert WorkerSession.objects.count() == 1


def finished(ids):
    return Run.objects.filter(pk__in=ids, finished_at__isnull=False).count()


def integrity():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        return cursor.fetchone()[0]
