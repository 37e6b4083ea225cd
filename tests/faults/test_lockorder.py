"""A claim that comes to a queue's row while two others write it one after the other (C8).

PostgreSQL locks the newest version of a row by way of the one the statement saw, and on that way it waits
even where it was told to skip what is locked. So the claim stands still there, as if it had been slow,
with the lock of its bucket, until the other holds what it can hold.
"""

import threading
from functools import partial

import pytest
from django.db import connection, transaction

from runs import lifecycle
from runs.models import Queue, Run
from runs.states import RunStatus
from tests.faults import points
from tests.faults.scenes import WHO
from tests.support.factories import claim, complete, queue, session, start, trigger
from tests.support.waiting import eventually

GATED = """
CREATE FUNCTION pg_temp.gate() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_stack text;
BEGIN
  GET DIAGNOSTICS v_stack = PG_CONTEXT;
  IF v_stack LIKE '%WHERE id = v_queue FOR NO KEY UPDATE SKIP LOCKED%' THEN
    PERFORM pg_advisory_lock_shared({door});
    PERFORM pg_advisory_unlock_shared({door});
  END IF;
  RETURN true;
END $$;
CREATE TEMP VIEW runs_queue AS SELECT * FROM public.runs_queue WHERE pg_temp.gate();
""".replace("{door}", str(points.DOOR))
OPEN = "DROP VIEW pg_temp.runs_queue; DROP FUNCTION pg_temp.gate()"


@pytest.fixture(autouse=True)
def _on_a_server(stage):
    if connection.vendor != "postgresql":
        pytest.skip("one transaction at a time writes an SQLite file")


@pytest.fixture
def slow(hands):
    """A hand whose claims have seen the queue's row, but stand at a gate before they lock it."""
    hands[0].do(partial(run, GATED)).result(30)
    yield hands[0]
    hands[0].do(partial(run, OPEN)).result(30)


@pytest.fixture
def shared():
    """A queue with a trigger at its commit, which looks whether the queue of its new bucket is there."""
    made, begun, done = queue("shared", limit=2, total=4), threading.Event(), threading.Event()
    hand = points.Hand()

    def refer():
        with transaction.atomic():
            trigger(queue="shared", concurrency_key="new")
            run("SET CONSTRAINTS ALL IMMEDIATE")
            begun.set()
            done.wait(60)

    def go():
        answer = hand.do(refer)
        assert begun.wait(30)
        return answer

    try:
        yield made, go
    finally:
        done.set()
        hand.close()


def run(statements):
    with connection.cursor() as cursor:
        cursor.execute(statements)


def override():
    return lifecycle.override_limit("shared", 1, actor=WHO).limit


def test_an_override_and_a_claim_do_not_wait_for_each_other(slow, hands, shared):
    made, refer = shared
    trigger(queue="shared", concurrency_key="a")
    by = session()
    assert crossed(slow, hands[1], made, refer, by, override) == 1


def test_an_end_and_a_claim_do_not_wait_for_each_other(slow, hands, shared):
    made, refer = shared
    for _ in range(2):
        trigger(queue="shared", concurrency_key="a")
    by = session()
    (one,) = claim(by)
    start(one)
    assert crossed(slow, hands[1], made, refer, by, partial(complete, one)).won
    assert Run.objects.get(pk=one.run_id).status == RunStatus.COMPLETED


def crossed(slow, other, made, refer, by, verb):
    """What the other verb answers that locks the queue while a claim is at it; both come to an end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [points.DOOR])
        try:
            refer()
            claimed = slow.do(partial(claim, by))
            eventually(lambda: claimed.done() or points.is_blocked(slow) == "advisory")
            assert not claimed.done()
            Queue.objects.filter(pk=made.pk).update(
                paused_reason="Written while it is claimed from."
            )
            answer = other.do(verb)
            points.met(other, answer)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [points.DOOR])
    assert len(claimed.result(30)) == 1
    return answer.result(30)
