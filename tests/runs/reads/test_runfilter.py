import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import Attempt, Run, WorkerSession
from runs.reads import demands, grammar, runfilter
from runs.reads.runfilter import RunFilter
from tests.support.rows import completed_run, failed_run, make_queue, queued_run

pytestmark = pytest.mark.django_db


def found(query):
    return set(RunFilter(query=query).runs().values_list("id", flat=True))


def check(expected):
    for query, runs in expected.items():
        assert found(query) == {run.id for run in runs}, query


def test_columns():
    make_queue("mail")
    a = queued_run("send-mail", tags=("user_1", "eu"), queue="mail", concurrency_key="k1")
    b = queued_run("send-sms", tags=("user_2",), is_test=True)
    c = failed_run("charge")
    Run.objects.filter(pk=c.pk).update(version="v7")
    everything = [a, b, c]
    check(
        {
            "": everything,
            "status:failed": [c],
            "-status:failed": [a, b],
            "status:open": [a, b],
            "task:send-*": [a, b],
            "task:send-mail,charge": [a, c],
            "-task:send-*": [c],
            "task:*charge task:gone": [c],
            "task:s*d-*s": [b],
            "send": [a, b],
            "-send": [c],
            a.id: [a],
            "queue:mail": [a],
            "queue:m*": [a],
            "tag:user_1": [a],
            "tag:user_*": [a, b],
            "-tag:eu": [b, c],
            "test:yes": [b],
            "-test:yes": [a, c],
            "version:v7": [c],
            "-version:v7": [a, b],
            "key:k1": [a],
            "-key:k1": [b, c],
            "source:sdk": everything,
            "by:nobody": [],
            f"run:{b.id}": [b],
            f"-run:{b.id}": [a, c],
            "status:failed tag:eu": [],
        }
    )


def test_who_triggered_it_and_where_it_belongs():
    a, b, c = queued_run(), queued_run(), queued_run()
    Run.objects.filter(pk=a.pk).update(actor="user:ada")
    Run.objects.filter(pk=b.pk).update(parent_id=a.pk, root_id=a.pk)
    Run.objects.filter(pk=c.pk).update(parent_id=b.pk, root_id=a.pk, batch_id="batch_1")
    check(
        {
            "by:ada": [a],
            "by:user:ada": [a],
            "by:*da": [a],
            "root:yes": [a],
            "root:no": [b, c],
            f"root:{a.id}": [a, b, c],
            f"parent:{a.id}": [b],
            "batch:batch_1": [c],
            "batch:*": [c],
            "-batch:*": [a, b],
            "bulk:bulk_1": [],
        }
    )


def test_measures(time_machine):
    now = timezone.now()
    slow, fast, waiting = completed_run(), completed_run(), queued_run()
    moments = {"queued_at": now - timedelta(seconds=100), "started_at": now - timedelta(seconds=60)}
    Run.objects.filter(pk=slow.pk).update(**moments, finished_at=now, attempt_number=3)
    Run.objects.filter(pk=fast.pk).update(
        **moments, finished_at=now - timedelta(seconds=59.5), uncounted_attempts=1, attempt_number=2
    )
    check(
        {
            "dur:>30s": [slow],
            "dur:<=500ms": [fast],
            "dur:10s..2m": [slow],
            "-dur:>30s": [fast],
            "wait:>30s": [slow, fast],
            "wait:<30s": [waiting],
            "attempts:>1": [slow],
            "attempts:1": [fast],
            "attempts:..2": [fast, waiting],
        }
    )


def test_places_in_documents():
    values = {"order_id": 42, "ok": True, "none": None, "name": "Zoë", "a b": [1, {"c": "x"}]}
    a = queued_run(payload=json.dumps(values))
    b = queued_run(payload='{"order_id": "42", "ok": 1, "big": 12345678901234567890}')
    hostile = queued_run(payload='{"order_id": 42, "s": "\\u0000"}')
    lone = queued_run(payload='{"order_id": 7, "s": "\\ud800"}')
    emoji = queued_run(payload='{"order_id": 7, "s": "\\ud83d\\ude00"}')
    done = completed_run(output='{"total": 120.5}', payload="[]")
    check(
        {
            "payload.ok:true": [a],
            "payload.ok:1": [b],
            "payload.none:null": [a],
            "payload.name:Zoë": [a],
            "payload.name:Z*": [a],
            'payload["a b"][1].c:x': [a],
            "payload.big:12345678901234567890": [b],
            "output.total:>100": [done],
            "output.total:>200": [],
            "payload.s:😀": [emoji],
        }
    )
    # PostgreSQL cannot look into a document with an escape that is no character
    assert lone.id not in found("payload.order_id:42")
    assert {a.id, b.id} <= found("payload.order_id:42") <= {a.id, b.id, hostile.id}
    assert {a.id, done.id, emoji.id} <= found("-payload.ok:1")


def test_errors_and_workers():
    bad = failed_run("a")
    other = failed_run("b", error=json.dumps({"name": "ValueError", "message": "no 50% of it"}))
    queued_run("c")
    session = WorkerSession.objects.get(pk=Attempt.objects.get(run_id=bad.pk).session_id)
    WorkerSession.objects.filter(pk=session.pk).update(host="host-1")
    check(
        {
            "error:mailbox": [bad],
            'error:"Mailbox IS full"': [bad],
            "error:50%": [other],
            "error:line": [],
            "-error:mailbox status:failed": [other],
            "error:deliveryerror,valueerror": [bad, other],
            f"worker:{session.pk}": [bad],
            "worker:host-1": [bad],
            "worker:host-*": [bad],
        }
    )


def test_opens_the_newest_alone(monkeypatch):
    monkeypatch.setattr(runfilter, "OPENED", 2)
    old, _, new = (queued_run(payload='{"n": 1}') for _ in range(3))
    asked = RunFilter(query="payload.n:1")
    assert old.id not in set(asked.runs().values_list("id", flat=True))
    assert new.id in set(asked.runs().values_list("id", flat=True))
    assert abs(asked.reach() - old.created_at) < timedelta(seconds=1)
    assert RunFilter(query="task:hello").reach() is None


def test_opens_more_of_those_with_an_error(monkeypatch):
    monkeypatch.setattr(runfilter, "OPENED", 1)
    monkeypatch.setattr(runfilter, "FAILING_OPENED", 2)
    old, middle, _ = (failed_run() for _ in range(3))
    queued_run()
    asked = RunFilter(query="error:e")
    assert middle.id in set(asked.runs().values_list("id", flat=True))
    assert old.id not in set(asked.runs().values_list("id", flat=True))
    assert abs(asked.reach() - old.created_at) < timedelta(seconds=1)


def test_times_are_a_window(time_machine):
    time_machine.move_to("2030-01-05T12:00:00Z", tick=False)
    terms = grammar.parse("after:2h before:2030-01-05T11:30 after:2030-01-01")
    start, end = demands.window(terms, timezone.now())
    assert start.isoformat() == "2030-01-05T10:00:00+00:00"
    assert end.isoformat() == "2030-01-05T11:30:00+00:00"


def test_can_be_written_down():
    asked = RunFilter(query="dur:>30s -tag:x", task=("a",))
    assert RunFilter.of(json.loads(json.dumps(asked.facts))) == asked


@pytest.mark.parametrize(
    ("asked", "is_so"),
    [
        ({"query": "error:Timeout"}, True),
        ({"query": "error:Timeout error:full"}, True),
        ({"query": "-error:Timeout"}, False),
        ({"query": "error:Timeout dur:>3s"}, False),
        ({"query": "error:Timeout", "status": ("FAILED",)}, False),
        ({"query": "error:Timeout", "tag": ("mail",)}, False),
        ({}, False),
    ],
)
def test_only_all_runs_with_an_error_are_read_in_order(asked, is_so):
    assert RunFilter(**asked).is_in_order is is_so
