import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.utils import OperationalError

from runs.lifecycle import audit, store
from runs.models import AuditLog
from runs.sqlite import base
from tests.support.threads import together

pytestmark = pytest.mark.skipif("config.option.database != 'sqlite'", reason="SQLite's own")
#: By eight together, in a test.
WRITES = 4000


@pytest.fixture
def opened(tmp_path, django_db_blocker):
    """Makes connections to one new database."""
    facts = {"default": {"ENGINE": "runs.sqlite", "NAME": str(tmp_path / "gate.sqlite3")}}
    settings = connections.configure_settings(facts)["default"]
    made = []

    def make():
        made.append(base.DatabaseWrapper(settings, "gate"))
        return made[-1]

    with django_db_blocker.unblock():
        with make().cursor() as cursor:
            cursor.execute("CREATE TABLE line (text TEXT)")
        yield make
        for one in made:
            one.inc_thread_sharing()
            one.close()


def begin(one):
    one.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def write(one, text="x"):
    with one.cursor() as cursor:
        cursor.execute("INSERT INTO line VALUES (%s)", [text])


def test_the_gate_is_held_for_the_transaction(opened):
    one = opened()
    begin(one)
    assert one.gate is not None
    write(one)
    one.commit()
    assert one.gate is None


def test_what_is_written_at_once_holds_it_once(opened):
    one = opened()
    with store.STORES["sqlite"].over(one).at_once():
        held = one.gate
        assert held is not None
        write(one)
        write(one)
        assert one.gate == held
    assert one.gate is None


@pytest.mark.parametrize("leave", ["rollback", "close"])
def test_leaving_otherwise_opens_it_too(opened, leave):
    one, other = opened(), opened()
    begin(one)
    write(one)
    getattr(one, leave)()
    write(other)
    with other.cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM line").fetchone() == (1,)


def test_a_fork_during_a_write_keeps_nobody_out(opened, monkeypatch):
    """As by another thread of this process; the fork has a copy of what is open."""
    monkeypatch.setattr(base, "PATIENCE", 0.05)
    one, other = opened(), opened()
    begin(one)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        write(one)
        one.commit()
        write(other)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_second_writer_waits_and_then_says_so(opened, monkeypatch):
    monkeypatch.setattr(base, "PATIENCE", 0.05)
    one, other = opened(), opened()
    begin(one)
    with pytest.raises(OperationalError, match="another writer"):
        write(other)
    one.rollback()
    write(other)


def test_a_reader_never_waits(opened):
    one, other = opened(), opened()
    begin(one)
    write(one)
    with other.cursor() as cursor:
        assert cursor.execute(" select count(*) from line").fetchone() == (0,)
    one.rollback()


def test_a_single_write_takes_the_gate(opened):
    one, held = opened(), []
    one.ensure_connection()
    one.connection.set_trace_callback(lambda statement: held.append(one.gate is not None))
    write(one)
    assert (all(held), one.gate) == (True, None)


def test_the_log_is_checkpointed_behind_the_gate(opened, monkeypatch):
    monkeypatch.setattr(base, "CHECKPOINT_AT", 100_000)
    one, held = opened(), []
    one.ensure_connection()

    def seen(statement):
        if "checkpoint" in statement:
            held.append(one.gate is not None)

    one.connection.set_trace_callback(seen)
    for _ in range(60):
        begin(one)
        write(one, "x" * 20_000)
        one.commit()
    assert held
    assert all(held)


def test_a_log_that_was_checkpointed_shrinks(opened):
    one = opened()
    for _ in range(40):
        begin(one)
        write(one, "x" * 300_000)
        one.commit()
    name = one.settings_dict["NAME"]
    assert base.wal_size(name) < 2 * base.CHECKPOINT_AT
    assert os.path.getsize(name) > base.CHECKPOINT_AT


def test_a_commit_while_this_connection_reads_is_a_commit(opened, monkeypatch):
    monkeypatch.setattr(base, "CHECKPOINT_AT", 0)
    one = opened()
    for _ in range(3):
        write(one)
    reading = one.connection.execute("SELECT text FROM line")
    reading.fetchone()
    begin(one)
    write(one)
    one.commit()
    reading.close()
    assert one.gate is None


def test_no_writer_starves(opened):
    order: list[int] = []

    def writer(number):
        one = opened()
        one.inc_thread_sharing()
        while len(order) < WRITES:
            if number % 2:
                write(one)
            else:
                begin(one)
                write(one)
                one.commit()
                one.set_autocommit(True)
            order.append(number)

    together([partial(writer, number) for number in range(8)])
    counts = [order.count(number) for number in range(8)]
    assert min(counts) > WRITES / 8 / 5, counts


HOLDER = """
import django, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DATABASE_URL"] = "sqlite:///" + sys.argv[1]
django.setup()
from django.db import connection, transaction
with transaction.atomic():
    connection.cursor().execute("INSERT INTO line VALUES ('lost')")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_gate_open(opened):
    one = opened()
    command = [sys.executable, "-c", HOLDER, one.settings_dict["NAME"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    write(one)
    with one.cursor() as cursor:
        assert cursor.execute("SELECT text FROM line").fetchall() == [("x",)]


@pytest.mark.django_db(transaction=True)
def test_flush_empties_guarded_tables_and_keeps_the_guards():
    audit.record("user:ada", "queue.pause", "mail")
    call_command("flush", interactive=False, verbosity=0)
    assert not AuditLog.objects.exists()
    audit.record("user:ada", "queue.pause", "mail")
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        AuditLog.objects.all().delete()
    assert connection.is_usable()
