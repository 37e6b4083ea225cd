import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from runs import lifecycle, signals
from runs.debounce import Debounce
from runs.errors import InvalidOption, InvalidPayload, UnknownQueue
from runs.lifecycle import TriggerItem, TriggerOptions, triggering
from runs.lifecycle.store import postgresql
from runs.models import Bucket, Event, Queue, QueueKind, Ready, Run, RunTag, Source
from runs.states import RunStatus
from tests.support import factories
from tests.support.factories import claim, history, parked_run, queue, session, task, trigger

pytestmark = pytest.mark.django_db


def many(items, **facts):
    return lifecycle.trigger_many(items, source=Source.SDK, **facts)


def test_a_run_is_queued_with_its_task_s_defaults():
    task(max_attempts=7, max_duration=60.0, machine="micro", priority=2.0, tags='["a"]', ttl=9.0)
    run = trigger(payload='{"x": 1}')
    assert (run.status, run.queue, run.payload) == (RunStatus.QUEUED, "task/send", '{"x": 1}')
    assert (run.max_attempts, run.max_duration, run.machine) == (7, 60.0, "micro")
    assert (run.priority, run.tag_list, run.ttl) == (2.0, ["a"], 9.0)
    assert run.expires_at == run.created_at + timedelta(seconds=9)
    assert history(run.pk) == ["triggered"]


def test_options_win_over_the_task():
    task(max_attempts=7, max_duration=60.0, priority=2.0, tags='["a"]', ttl=9.0)
    run = trigger(max_attempts=2, max_duration=5.0, priority=-3.5, tags=("b", "b"), ttl=0.0)
    assert (run.max_attempts, run.max_duration, run.priority) == (2, 5.0, -3.5)
    assert (run.tag_list, run.ttl, run.expires_at) == (["b"], None, None)


@pytest.mark.parametrize("asked", [0, -5, 1])
def test_a_run_is_tried_at_least_once(asked):
    assert trigger(max_attempts=asked).max_attempts == 1


def test_no_tags_and_no_duration_switch_defaults_off():
    task(max_duration=60.0, tags='["a"]')
    run = trigger(tags=(), max_duration=0.0)
    assert (run.tag_list, run.max_duration) == ([], None)


def test_facts_are_stored_as_they_came():
    facts: dict[str, Any] = {
        "version": "v7",
        "concurrency_key": "é",
        "metadata": '{"a": 1.0}',
        "is_test": True,
    }
    run = trigger(machine="large-2x", **facts)
    stored = {name: getattr(run, name) for name in facts}
    assert stored == facts
    assert (run.seed_metadata, run.machine) == ('{"a": 1.0}', "large-2x")


def test_tags_can_be_found():
    run = trigger(tags=("b", "a"))
    trigger(tags=("c",))
    assert run.tag_list == ["a", "b"]
    assert list(Run.objects.tagged(["a", "b"])) == [run]
    assert RunTag.objects.filter(run_id=run.pk).count() == 2


def test_a_delay_is_waited_for():
    run = trigger(delay=60.0, ttl=5.0)
    assert run.status == RunStatus.DELAYED
    assert run.delay_until == run.created_at + timedelta(seconds=60)
    assert (run.queued_at, run.expires_at) == (None, None)
    assert Ready.objects.get().not_before == run.delay_until


@pytest.mark.parametrize("moment", [0.0, timezone.now() - timedelta(days=1)])
def test_a_delay_that_has_passed_is_none(moment):
    run = trigger(delay=moment)
    assert (run.status, run.delay_until) == (RunStatus.QUEUED, None)


def test_an_unknown_task_waits_for_a_version():
    run = parked_run()
    assert run.status == RunStatus.PENDING_VERSION
    assert "No cluster has registered" in run.reason
    assert not Ready.objects.exists()


def test_a_broken_task_waits_for_a_version():
    task(broken=True)
    run = trigger()
    assert run.status == RunStatus.PENDING_VERSION
    assert "failed to import" in run.reason


def test_a_task_s_own_queue_is_made_on_first_use():
    run = parked_run("a" * 200)
    assert Queue.objects.get(name=run.queue).kind == QueueKind.TASK


@pytest.mark.parametrize("name", ["slow", "task/other", "x" * 200, ""])
def test_an_unknown_queue_is_refused_with_the_known_ones(name):
    queue("mail")
    if not name:
        assert trigger(queue=name).queue == "task/send"
        return
    with pytest.raises(InvalidOption) as refused:
        trigger(queue=name)
    assert isinstance(refused.value, UnknownQueue) or len(name) > 128
    assert not Run.objects.exists()


def test_a_queue_made_in_a_transaction_that_failed_is_forgotten():
    with transaction.atomic():
        parked_run("fresh")
        transaction.set_rollback(True)
    assert parked_run("fresh").queue == "task/fresh"


@pytest.mark.parametrize(
    "options",
    [
        {"queue": "a\x00"},
        {"concurrency_key": "\ud800"},
        {"concurrency_key": "k" * 9001},
        {"idempotency_key": "\udfff"},
        {"idempotency_scope": "everywhere"},
        {"version": "v" * 65},
        {"version": "\ud83d"},
        {"parent_id": "run_\x00"},
        {"parent_id": "run_nobody"},
        {"tags": ("",)},
        {"tags": ("x" * 129,)},
        {"tags": tuple(map(str, range(11)))},
        {"tags": ("\ud800",)},
        {"metadata": "[]"},
        {"metadata": '{"a": NaN}'},
        {"metadata": json.dumps({"a": "x" * 300_000})},
        {"machine": "huge"},
        {"priority": float("nan")},
        {"priority": 1e9},
        {"ttl": -1.0},
        {"ttl": float("inf")},
        {"max_duration": -1.0},
        {"max_attempts": 251},
        {"max_attempts": 1.5},
        {"delay": -1.0},
        {"delay": float("nan")},
        {"delay": timezone.now().replace(tzinfo=None)},
        {"delay": timezone.now().replace(year=9500)},
        {"idempotency_ttl": -1.0},
    ],
    ids=lambda options: ",".join(options),
)
def test_an_option_out_of_range_is_refused_by_name(options):
    with pytest.raises(InvalidOption) as refused:
        trigger(**options)
    assert refused.value.option in options
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"priority": 1e9}, r"-2,147,483 to 2,147,483; got 1000000000.0"),
        ({"max_attempts": 251}, "1 to 250; got 251"),
        ({"delay": -1.0}, "0 seconds to 100 years; got -1"),
        ({"machine": "huge"}, "one of micro.*got 'huge'"),
        ({"concurrency_key": "x" * 9001}, "9,000 characters; got 9,001"),
        ({"version": "a\x00"}, r"cannot be stored; got 'a\\x00'"),
        (
            {"metadata": '{"a": "' + "x" * 300_000 + '"}'},
            "metadata has 300,009 bytes; the limit",
        ),
        ({"debounce": Debounce("", 1.0)}, "1 to 512 characters"),
        ({"debounce": Debounce("k", 0.5)}, "at least 1 second.*got 0.5"),
        ({"debounce": Debounce("k", 5.0, "middle")}, "leading, trailing; got 'middle'"),
        ({"debounce": Debounce("k", 5.0, "leading", 5.0)}, "longer than.*got 5 seconds"),
        ({"queue": "nowhere"}, "no queue named “nowhere”"),
        ({"parent_id": "run_nope"}, "no run run_nope"),
    ],
)
def test_a_refusal_names_task_value_and_what_is_allowed(options, said):
    for items in (1, 2):
        wanted = TriggerItem(task_id="send", options=TriggerOptions(**options))
        where = "Item 1: " if items == 2 else ""
        with pytest.raises(InvalidOption, match=f"^{where}Task “send”: .*{said}"):
            many([TriggerItem(task_id="free")] * (items - 1) + [wanted])
    assert not Run.objects.exists()


@pytest.mark.parametrize("task_id", ["", "t" * 257, "a\x00"])
def test_a_task_id_that_cannot_be_stored_is_refused(task_id):
    with pytest.raises(InvalidOption, match="task"):
        parked_run(task_id)


def test_a_payload_the_schema_refuses_makes_no_run():
    task(schema='{"type": "object"}')
    with pytest.raises(InvalidPayload):
        trigger(payload="[]")
    assert trigger(payload="{}").payload == "{}"


def test_lower_priority_values_wait_and_earlier_ones_go_first():
    late, early = trigger(priority=-5.0), trigger()
    urgent, last = trigger(priority=60.0), trigger(priority=-60.0)
    order = [one.run_id for one in claim(session(), 4)]
    assert order == [urgent.pk, early.pk, late.pk, last.pk]


def test_a_child_knows_its_family():
    parent = trigger(is_test=True)
    child = trigger(parent_id=parent.pk)
    grandchild = trigger(parent_id=child.pk)
    assert (child.root_id, child.depth, child.is_test) == (parent.pk, 1, True)
    assert (grandchild.root_id, grandchild.depth) == (parent.pk, 2)


def test_nothing_but_family_is_inherited():
    queue("mail")
    parent = trigger(queue="mail", priority=9.0, tags=("a",), concurrency_key="k")
    child = trigger(parent_id=parent.pk)
    assert (child.queue, child.priority, child.tag_list) == ("task/send", 0.0, [])
    assert child.concurrency_key is None


def test_many_children_read_their_parent_once(django_assert_max_num_queries):
    parent = trigger()
    options = TriggerOptions(parent_id=parent.pk)
    with django_assert_max_num_queries(60):
        many([TriggerItem(task_id="send", options=options)] * 50)


def test_many_are_made_in_order():
    task()
    made = many([TriggerItem(task_id="send", payload=str(number)) for number in range(2500)])
    ids = [one.run_id for one in made]
    assert ids == sorted(ids)
    stored = Run.objects.order_by("id").values_list("payload", flat=True)
    assert list(stored) == [str(number) for number in range(2500)]
    assert Ready.objects.count() == Event.objects.count() == 2500


def test_of_many_all_or_none_are_made():
    bad = TriggerItem(task_id="send", options=TriggerOptions(machine="huge"))
    with pytest.raises(InvalidOption, match="Item 2400"):
        many([*[TriggerItem(task_id="send")] * 2400, bad])
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_late_failure_takes_all_chunks_back(monkeypatch):
    inserted, calls = triggering._insert, []

    def failing(made):
        calls.append(len(made))
        if len(calls) == 3:
            raise RuntimeError("the third chunk")
        inserted(made)

    monkeypatch.setattr(triggering, "_insert", failing)
    with pytest.raises(RuntimeError):
        many([TriggerItem(task_id="x")] * 2500)
    assert calls == [1000, 1000, 500]
    assert not Run.objects.exists()


def test_a_batch_of_different_runs_keeps_what_each_asked_for():
    asked = [
        TriggerOptions(),
        TriggerOptions(concurrency_key="", priority=2.0),
        TriggerOptions(concurrency_key="a", tags=("t",), delay=60.0),
        TriggerOptions(concurrency_key="a"),
        TriggerOptions(concurrency_key="é\n", max_attempts=5, is_test=True),
    ]
    task()
    queue("mail")
    items = [
        TriggerItem(task_id="send", payload=f"[{number}]", options=replace(options, queue=name))
        for name in ("task/send", "mail")
        for number, options in enumerate(asked)
    ]
    for made, item in zip(many(items), items, strict=True):
        run, options = Run.objects.get(pk=made.run_id), item.options
        ready = Ready.objects.get(pk=made.run_id)
        bucket = Bucket.objects.get(pk=ready.bucket_id)
        assert (run.payload, run.queue, run.concurrency_key, run.is_test) == (
            item.payload,
            options.queue,
            options.concurrency_key,
            options.is_test,
        )
        assert (bucket.queue.name, bucket.concurrency_key) == (run.queue, run.concurrency_key)
        assert (ready.sort_key, ready.not_before) == (run.sort_key, run.delay_until)
        assert run.tag_list == list(options.tags or ())
    assert Bucket.objects.count() == 8


def test_none_of_nothing_is_made():
    assert many([]) == []


@pytest.mark.django_db(transaction=True)
def test_a_trigger_shares_the_caller_s_fate():
    woken = []
    listen = lambda **facts: woken.append(facts)  # noqa: E731
    signals.runs_ready.connect(listen)
    try:
        with transaction.atomic():
            trigger()
            assert not woken
            transaction.set_rollback(True)
        assert not Run.objects.exists()
        assert not woken
        with transaction.atomic():
            factories.trigger()
        assert (Run.objects.count(), len(woken)) == (1, 1)
    finally:
        signals.runs_ready.disconnect(listen)


def test_the_key_a_task_names_is_found_in_the_payload_of_every_trigger():
    task("send", config='{"concurrency_key": "$.customer"}')
    items = [TriggerItem(task_id="send", payload=f'{{"customer": "{c}"}}') for c in "aab"]
    stated = TriggerItem(
        task_id="send", payload='{"customer": "a"}', options=TriggerOptions(concurrency_key="c")
    )
    made = lifecycle.trigger_many([*items, stated], source=Source.API)
    keys = [Run.objects.get(pk=one.run_id).concurrency_key for one in made]
    assert keys == ["a", "a", "b", "c"]
    assert sorted(Bucket.objects.values_list("concurrency_key", flat=True)) == ["a", "b", "c"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one way")
class TestTheWayOfOne:
    """One run alone goes in by a statement of its own; nobody can tell from the rows."""

    @pytest.fixture(params=[None, 2])
    def threshold(self, request):
        connection.ensure_connection()
        raw = connection.connection
        before, raw.prepare_threshold = raw.prepare_threshold, request.param
        yield request.param
        raw.prepare_threshold = before

    def rows(self, monkeypatch, **options):
        taken = []
        alone = postgresql.PostgresStore.insert_alike
        monkeypatch.setattr(
            postgresql.PostgresStore,
            "insert_alike",
            lambda *a: taken.append(alone(*a)) or taken[-1],
        )
        run = trigger(payload='"\\"\'\\u2028%s\\\\"', **options)
        facts = {field.attname: getattr(run, field.attname) for field in Run._meta.fields}
        changing = {"id", "sort_key", "created_at", "queued_at", "updated_at", "delay_until"}
        rest = {name: value for name, value in facts.items() if name not in changing}
        event = Event.objects.filter(run_id=run.pk).values("kind", "status", "actor", "data").get()
        ready = Ready.objects.filter(run_id=run.pk).values("bucket_id", "sort_key").get()
        assert ready["sort_key"] == run.sort_key
        tags = sorted(RunTag.objects.filter(run_id=run.pk).values_list("tag", flat=True))
        return taken[-1], rest, event, ready["bucket_id"], tags

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"concurrency_key": "a'b"},
            {"delay": 60.0, "metadata": "{}", "priority": 3.0},
            {"tags": ("b", 'a,"{}\\')},
        ],
    )
    def test_the_rows_are_the_same(self, options, monkeypatch):
        connection.ensure_connection()
        trigger(**options)  # makes the bucket
        found = []
        for threshold in (None, 2):
            monkeypatch.setattr(connection.connection, "prepare_threshold", threshold)
            found.append(self.rows(monkeypatch, **options))
        (one, *others), (two, *same) = found
        assert (one, two) == (False, True)
        assert others == same

    @pytest.mark.parametrize("same_queue", [True, False])
    def test_many_at_once_are_the_same(self, threshold, same_queue):
        odd = ['"\\"\'\\u2028%s\\\\{},NULL"', "NULL", None, '"NULL"', '""']
        options = TriggerOptions(tags=("b", "{a}"), metadata="{}")
        other = options if same_queue else TriggerOptions(concurrency_key="k", tags=())
        asked = [(text, options) for text in odd] + [("1", other)]
        items = [TriggerItem(task_id="send", payload=text, options=one) for text, one in asked]
        trigger()  # makes a bucket
        made = lifecycle.trigger_many(items, source=Source.SDK, validated=True)
        runs = [Run.objects.get(pk=one.run_id) for one in made]
        assert [run.payload for run in runs] == [*odd, "1"]
        assert [run.metadata for run in runs] == ["{}"] * 5 + [other.metadata]
        assert RunTag.objects.filter(run_id=runs[0].pk).count() == 2
        assert RunTag.objects.filter(run_id=runs[-1].pk).count() == len(other.tags)
        ids = [run.pk for run in runs]
        assert list(Event.objects.order_by("id").values_list("run_id", flat=True))[-6:] == ids
        assert Ready.objects.filter(run_id__in=ids).count() == len(ids)

    def test_a_missing_bucket_is_made(self, threshold):
        assert Ready.objects.filter(run_id=trigger(concurrency_key="new").pk).exists()

    def test_it_belongs_to_the_callers_transaction(self, threshold):
        trigger()
        with transaction.atomic():
            run = trigger()
            transaction.set_rollback(True)
        assert not Run.objects.filter(pk=run.pk).exists()
