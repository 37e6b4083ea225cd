"""What runs are sent while they wait, and what they give out around their waits."""

import json
from datetime import timedelta

import time_machine
from django.utils import timezone

from engine import streams, task, wait
from engine.sdk import notes
from runs.lifecycle import streams as stored
from runs.models import Run, StreamChunk, Waitpoint
from tests.support.driver import Driver


def chunks():
    return [
        json.loads(text)
        for text in StreamChunk.objects.filter(is_input=False)
        .order_by("number")
        .values_list("text", flat=True)
    ]


def output(run):
    run = Run.objects.get(pk=run.pk)
    assert run.status == "COMPLETED", (run.status, run.error)
    return json.loads(run.output)


def asker():
    @task(id="ask")
    def ask():
        first = streams.input("approval")
        second = streams.input("approval", timeout="1h")
        return [first.unwrap(), second.ok, second.output]

    return ask


def test_a_run_waits_for_each_message(driver: Driver):
    run = driver.finish(asker())
    assert run.status == "WAITING"
    stored.send(run.pk, "approval", '{"by": "ann"}', by="key:k")
    driver.until_idle()
    assert Run.objects.get(pk=run.pk).status == "WAITING"
    stored.send(run.pk, "other", "0", by="key:k")
    stored.send(run.pk, "approval", "2", by="key:k")
    driver.until_idle()
    assert output(run) == [{"by": "ann"}, True, 2]


def test_what_was_sent_before_is_there(driver: Driver):
    @task(id="late")
    def late():
        wait("1h")
        return [streams.input("approval").output, streams.input("approval").output]

    run = driver.finish(late)
    stored.send(run.pk, "approval", "1", by="")
    stored.send(run.pk, "approval", "2", by="")
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        driver.due()
    assert output(run) == [1, 2]


def test_a_wait_for_a_message_may_time_out(driver: Driver):
    run = driver.finish(asker())
    stored.send(run.pk, "approval", "1", by="")
    driver.until_idle()
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        driver.due()
    assert output(run) == [1, False, None]
    assert Waitpoint.objects.count() == 2


def test_a_message_that_came_too_late_is_for_the_next_call(driver: Driver):
    @task(id="patient")
    def patient():
        while not (found := streams.input("approval", timeout="1h")).ok:
            continue
        return [found.output, streams.input("approval").output]

    run = driver.finish(patient)
    for hours in (2, 4):
        with time_machine.travel(timezone.now() + timedelta(hours=hours), tick=True):
            driver.due()
    stored.send(run.pk, "approval", "1", by="")
    driver.until_idle()
    stored.send(run.pk, "approval", "2", by="")
    driver.until_idle()
    assert output(run) == [1, 2]
    assert Waitpoint.objects.count() == 4


def test_a_body_that_comes_back_appends_nothing_twice(driver: Driver):
    @task(id="give")
    def give():
        streams.append("tokens", 1)
        wait("1h")
        streams.append("tokens", 2)
        return list(streams.pipe("tokens", [3]))

    with notes.on_this_connection():
        run = driver.finish(give)
        assert chunks() == [1]
        with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
            driver.due()
    assert (output(run), chunks()) == ([3], [1, 2, 3])
