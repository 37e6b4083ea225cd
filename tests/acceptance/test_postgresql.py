"""A PostgreSQL server that misbehaves (C rows of the fault catalogue)."""

import os
import signal
import time

import psycopg
import pytest
from django.db import connection

from runs.models import Run, WorkerSession
from tests.support import invariants
from tests.support.site import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
BACKENDS = """
SELECT pid FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
"""


def test_terminated_backends_go_unnoticed(on_server, server):
    run_id, until = on_server.hold()
    ids = on_server.trigger_many("narrow", [{"seconds": 0.02}] * 60)
    with psycopg.connect(server.url, autocommit=True) as admin:
        for _ in range(8):
            admin.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) b WHERE pid % 2 = 0")
            admin.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) b WHERE pid % 2 = 1")
            time.sleep(0.2)
    connection.close()
    until.touch()
    assert on_server.completed(run_id).attempt_number == 1
    invariants.check(on_server, {"narrow": 2})
    assert not Run.objects.filter(pk__in=ids, attempt_number__gt=1).exists()


def test_a_killed_backend_drops_all_connections_for_a_moment(on_server, server):
    run_id, until = on_server.hold()
    with psycopg.connect(server.url, autocommit=True) as admin:
        victim, *_ = admin.execute(BACKENDS).fetchall()
        os.kill(victim[0], signal.SIGKILL)
        eventually(lambda: is_cut(admin))
    connection.close()
    until.touch()
    eventually(lambda: answers(server.url))
    assert on_server.completed(run_id).attempt_number == 1
    on_server.completed(on_server.trigger("work"))


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL])
def test_a_crashed_server_loses_nothing(on_server, server, number):
    """Bodies end while it is away; their answers wait for it."""
    run_id, until = on_server.hold()
    ids = on_server.trigger_many("work", [{"seconds": 0.005}] * 200)
    sessions = set(WorkerSession.objects.values_list("pk", flat=True))
    server.crash(number)
    connection.close()
    until.touch()
    eventually(lambda: [n for n in on_server.notes() if n["run"] == run_id and n["what"] == "exit"])
    server.serve()
    assert on_server.completed(run_id).attempt_number == 1
    for found in ids:
        on_server.completed(found)
    assert set(WorkerSession.objects.values_list("pk", flat=True)) == sessions


def test_an_outage_longer_than_the_lease_takes_nothing_away(on_server, server):
    run_id, until = on_server.hold()
    server.crash(signal.SIGQUIT)
    connection.close()
    idle = on_server.clusters[0].named("worker") + on_server.clusters[1].named("worker")
    idle.remove(on_server.entered(run_id)[0]["pid"])
    kill(idle[0], signal.SIGKILL)
    time.sleep(4)  # two leases
    server.serve()
    eventually(lambda: answers(server.url))
    time.sleep(1)  # the reapers' first rounds
    # a worker that starts meanwhile waits for the server, as all others do
    eventually(lambda: all(on_server.is_ready(cluster, 2) for cluster in on_server.clusters))
    assert "before it was ready" not in (on_server.home / "log").read_text()
    until.touch()
    assert on_server.completed(run_id).attempt_number == 1
    assert all(cluster.process.poll() is None for cluster in on_server.clusters)


def test_a_cluster_stops_although_the_server_is_away(on_server, server):
    run_id, until = on_server.hold()
    server.crash(signal.SIGQUIT)
    connection.close()
    until.touch()
    clusters = on_server.clusters[:]
    for cluster in clusters:
        cluster.process.terminate()
    for cluster in clusters:
        assert cluster.ended(within=25) == 0
    server.serve()
    on_server.clusters[:] = [on_server.cluster(), on_server.cluster()]
    on_server.completed(run_id)


def is_cut(link):
    """Whether the server has noticed, and thrown everybody out."""
    try:
        link.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def answers(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
