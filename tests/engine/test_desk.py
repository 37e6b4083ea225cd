"""`runs` and `idempotency_keys`: what code does to runs that are there, stored."""

import json
from datetime import timedelta

import pytest

from engine import idempotency_key, idempotency_keys, queue, runs, task, tasks
from engine.launching import StoredRuns
from engine.runtime import install
from engine.sdk.context import executing
from runs.errors import IllegalTransition, InvalidOption, InvalidPayload, NotFound, UnknownQueue
from runs.models import AuditLog, Event, Run
from runs.states import RunStatus
from tests.engine.support import make_context
from tests.support import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stored_runs():
    factories.task("charge")
    before = install(StoredRuns())
    yield
    install(before)


def stored(handle):
    return Run.objects.get(pk=handle.id)


def test_cancels_with_a_reason():
    sent, other = tasks.trigger("charge"), tasks.trigger("charge")
    runs.cancel(sent, reason="withdrawn")
    runs.cancel(other.id)
    runs.cancel(sent)
    assert (stored(sent).status, stored(sent).reason) == (RunStatus.CANCELED, "withdrawn")
    assert stored(other).status == RunStatus.CANCELED
    assert set(AuditLog.objects.values_list("actor", flat=True)) == {"code"}


def test_children_may_be_kept():
    sent = tasks.trigger("charge")
    child = factories.trigger("charge", parent_id=sent.id)
    runs.cancel(sent, keep_children=True)
    child.refresh_from_db()
    assert child.status == RunStatus.QUEUED


def test_edits_what_is_given():
    slow = queue("slow")
    factories.queue("slow")
    sent = tasks.trigger("charge", {"id": 1})
    runs.edit(
        sent, priority=60, queue=slow, delay=timedelta(hours=1), payload={"id": 2}, reason="late"
    )
    run = stored(sent)
    assert (run.status, run.priority, run.queue, run.payload) == (
        RunStatus.DELAYED,
        60.0,
        "slow",
        '{"id":2}',
    )
    runs.edit(sent, delay=None)
    assert stored(sent).status == RunStatus.QUEUED
    runs.reschedule(sent, delay="10m")
    assert stored(sent).status == RunStatus.DELAYED
    runs.edit(sent, payload=None)
    assert stored(sent).payload is None
    assert Event.objects.filter(run_id=sent.id, kind="edited").count() == 4


def test_replays_with_changes():
    first = tasks.trigger("charge", {"id": 1}, tags="a", idempotency_key="k")
    again = runs.replay(first)
    other = runs.replay(first.id, payload={"id": 2}, tags="b", delay="1h")
    assert (again.task_id, stored(again).payload, stored(again).tag_list) == (
        "charge",
        '{"id":1}',
        ["a"],
    )
    assert stored(again).idempotency_key is None
    assert (json.loads(stored(other).payload), stored(other).tag_list) == ({"id": 2}, ["b"])
    assert stored(other).replayed_from_id == first.id


def test_purges_by_any_filter():
    @task(id="other")
    def other(payload): ...

    for tags in ("a", "b", ["a", "b"]):
        tasks.trigger("charge", tags=tags, concurrency_key="k")
    tasks.trigger("charge", delay="1h")
    other.trigger(1)
    assert runs.purge(task=other, queue="nowhere") == 0
    assert runs.purge(tag=["a"], concurrency_key="k", older_than=0) == 2
    assert runs.purge(task="charge", status="delayed") == 1
    assert runs.purge(queue=["task/charge", "task/other"], reason="all") == 2


def test_inside_a_run_the_run_is_named():
    sent = tasks.trigger("charge")
    with executing(make_context()):
        runs.cancel(sent)
    assert AuditLog.objects.get().actor == "run:run_1"


WRONG = [
    (lambda sent: runs.cancel(5), InvalidOption, "id or the handle.*got 5"),
    (lambda sent: runs.cancel("run_nope"), NotFound, "run_nope"),
    (lambda sent: runs.cancel(sent, reason=5), InvalidOption, "reason must be text; got 5"),
    (lambda sent: runs.cancel(sent, keep_children="no"), InvalidOption, "True or False; got 'no'"),
    (lambda sent: runs.edit(sent), InvalidOption, "priority, queue, delay or payload"),
    (lambda sent: runs.edit(sent, priority="high"), InvalidOption, "a number; got 'high'"),
    (lambda sent: runs.edit(sent, priority=None), InvalidOption, "a number; got None"),
    (lambda sent: runs.edit(sent, queue=None), InvalidOption, "queue name"),
    (lambda sent: runs.edit(sent, queue="nowhere"), UnknownQueue, "nowhere.*Known queues"),
    (lambda sent: runs.edit(sent, delay=-5), InvalidOption, "delay.*got '-5'"),
    (lambda sent: runs.edit(sent, delay="soon"), InvalidOption, "“1h30m”.*got 'soon'"),
    (lambda sent: runs.edit(sent, payload=object()), InvalidPayload, "JSON"),
    (lambda sent: runs.purge(), InvalidOption, "which runs to purge"),
    (lambda sent: runs.purge(queue=5), InvalidOption, "queue is text.*got 5"),
    (lambda sent: runs.purge(status="EXECUTING"), InvalidOption, "DELAYED.*got 'EXECUTING'"),
    (lambda sent: runs.purge(task="a", older_than="old"), InvalidOption, "older_than.*'old'"),
    (lambda sent: runs.replay(sent, nope=1), InvalidOption, "no option “nope”"),
]


@pytest.mark.parametrize(("call", "error", "said"), WRONG)
def test_wrong_input_is_refused_with_what_is_allowed(call, error, said):
    sent = tasks.trigger("charge")
    with pytest.raises(error, match=f"(?s){said}"):
        call(sent)
    assert stored(sent).status == RunStatus.QUEUED


def test_what_has_started_is_not_edited():
    one = factories.executing_run()
    with pytest.raises(IllegalTransition):
        runs.edit(one.run_id, priority=5)


def test_a_key_is_forgotten():
    sent = tasks.trigger("charge", idempotency_key="k")
    assert idempotency_keys.reset("charge", "k")
    assert not idempotency_keys.reset("charge", "k")
    assert tasks.trigger("charge", idempotency_key=idempotency_keys.create("k")).id != sent.id


def test_a_key_of_a_run_is_forgotten_inside_and_outside():
    first = make_context()
    for scope, facts in (("run", {}), ("attempt", {"attempt": 1})):
        for inside in (True, False):
            with executing(first):
                sent = factories.trigger(
                    "charge", idempotency_key=idempotency_key(["a", "b"], scope=scope).text
                )
                if inside:
                    assert idempotency_keys.reset("charge", ["a", "b"], scope=scope)
            if not inside:
                assert idempotency_keys.reset(
                    "charge", ["a", "b"], scope=scope, run_id="run_1", **facts
                )
            assert Run.objects.filter(pk=sent.pk).exists()


@pytest.mark.parametrize(
    "facts", [{"scope": "attempt", "run_id": "run_1"}, {"attempt": 1, "run_id": "run_1"},
              {"scope": "global", "run_id": "run_1"}, {"scope": "planet"}],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(facts):
    with pytest.raises(InvalidOption):
        idempotency_keys.reset("charge", "k", **facts)
