"""Spans over waits and attempts, with a journal and a database: nothing is recorded twice."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from engine import hooks, retry, span, step, task, wait
from engine.cluster.spanbook import SpanBook, packed
from runs.models import Run, Span
from runs.reads import trace
from tests.support.driver import Driver

pytestmark = pytest.mark.django_db
QUICK = retry(max_attempts=2, min_timeout=0, max_timeout=0)


class Told(Driver):
    """Stores spans as a bookkeeper does."""

    def __init__(self):
        super().__init__()
        self.book, self.run_id = SpanBook(), ""
        self.logs.is_exporting, self.logs.span = False, self.span

    def execute(self, work):
        self.run_id = work.run_id
        outcome = super().execute(work)
        self.book.flush()
        return outcome

    def span(self, record):
        self.book.take(packed(self.run_id, record))
        return True


@pytest.fixture
def driver(db):
    return Told()


def nodes(run, now=None):
    found = trace.of(Run.objects.get(pk=run.pk), now or timezone.now()).rows
    return [one for one in found if one.kind != "queue"]


def shape(run, **when):
    return [(one.name, one.state, one.depth) for one in nodes(run, **when)]


def later(**parts):
    return time_machine.travel(timezone.now() + timedelta(**parts), tick=True)


def test_a_span_goes_on_over_a_wait_and_replayed_ones_are_not_told_again(driver):
    @task(id="waiter")
    def body():
        with span("before"):
            step("prepare", lambda: None)
        with span("around"):
            with span("short"):
                pass
            wait(60)
            with span("after"):
                pass

    run = driver.finish(body)
    assert shape(run) == [
        ("waiter", "waiting", 0),
        ("Attempt 1", "waiting", 1),
        ("before", "ok", 2),
        ("prepare", "ok", 3),
        ("around", "open", 2),
        ("short", "ok", 3),
        ("Wait", "waiting", 3),
    ]
    began = nodes(run)[4].started_at
    with later(seconds=61):
        driver.due()
        assert shape(run)[4:] == [
            ("around", "ok", 2),
            ("short", "ok", 3),
            ("Wait", "ok", 3),
            ("after", "ok", 3),
        ]
        around = nodes(run)[4]
    assert around.started_at == began
    assert around.ended_at - began > timedelta(seconds=60)
    assert sorted(Span.objects.values_list("name", "status")) == [
        ("after", "ok"),
        ("around", "ok"),
        ("around", "open"),
        ("before", "ok"),
        ("short", "ok"),
    ]


def test_hooks_of_every_segment_have_spans_of_their_own(driver, monkeypatch):
    @task(id="waiter")
    def body():
        for _ in range(2):
            wait(60)

    body.on_wait(lambda: None)
    body.on_resume(lambda: None)
    body.middleware(lambda next: next())  # noqa: A006  the hook's parameter
    run = driver.finish(body)
    for minutes in (2, 4):
        with later(minutes=minutes):
            driver.due()
    hooks.forget()
    found = list(Span.objects.filter(run_id=run.pk).exclude(ended_at=None))
    assert sorted(one.name for one in found) == ["middleware", *["on_resume"] * 2, *["on_wait"] * 2]
    assert len({one.span_id for one in found}) == 5


def test_every_attempt_has_its_own_spans_and_a_step_is_told_once(driver):
    @task(id="twice", retry=QUICK)
    def body(payload, ctx):
        with span("try"):
            step("once", lambda: None)
            if ctx.attempt.number == 1:
                raise ValueError("first")

    run = driver.finish(body, '"x"')
    assert shape(run) == [
        ("twice", "ok", 0),
        ("Attempt 1", "error", 1),
        ("try", "error", 2),
        ("once", "ok", 3),
        ("Attempt 2", "ok", 1),
        ("try", "ok", 2),
    ]


def test_children_stand_where_they_were_triggered(driver):
    @task(id="child")
    def child(payload): ...

    @task(id="parent")
    def parent():
        with span("fan out"):
            child.trigger(1)
        child.trigger_and_wait(2)

    run = driver.finish(parent)
    assert shape(run) == [
        ("parent", "ok", 0),
        ("Attempt 1", "ok", 1),
        ("fan out", "ok", 2),
        ("child", "ok", 3),
        ("child", "ok", 2),
    ]
    assert {one.target for one in nodes(run) if one.kind == "child"} == set(
        Run.objects.filter(parent_id=run.pk).values_list("pk", flat=True)
    )
    traces = {trace.of(one, timezone.now()).trace_id for one in Run.objects.all()}
    assert len(traces) == 1


def test_a_lost_attempt_cuts_its_spans_off(driver):
    @task(id="dies", retry=retry(max_attempts=1))
    def body():
        span("never ends").__enter__()

    run = driver.finish(body)
    assert shape(run)[-1][1] == "open"  # its end may be on its way
    after = timezone.now() + trace.LATE
    assert shape(run, now=after)[-1] == ("never ends", "cut", 2)
    assert nodes(run, now=after)[-1].ended_at == nodes(run)[1].ended_at


def test_the_first_of_several_ends_the_wait_for_all(driver):
    @task(id="chooser")
    def body():
        wait.complete_token(first := wait.create_token(), 1)
        wait.any([first, wait.create_token()])

    run = driver.finish(body)
    assert [one[:2] for one in shape(run)[2:]] == [
        ("Wait token made", "ok"),
        ("Wait token made", "ok"),
        ("Wait for", "ok"),
        ("Wait for", "ok"),
    ]
