"""What runs are sent while they wait, and what they give out around their waits."""

import json
from datetime import timedelta

import time_machine
from django.utils import timezone

from engine import streams, task, wait
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
    return json.loads(Run.objects.get(pk=run.pk).output)


@task(id="ask")
def ask():
    first = streams.input("approval")
    second = streams.input("approval", timeout="1h")
    return [first.unwrap(), second.ok, second.output]


def test_a_run_waits_for_each_message(driver: Driver):
    run = driver.finish(ask)
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
        driver.until_idle()
    assert output(run) == [1, 2]


def test_a_wait_for_a_message_may_time_out(driver: Driver):
    run = driver.finish(ask)
    stored.send(run.pk, "approval", "1", by="")
    driver.until_idle()
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        driver.until_idle()
    assert output(run) == [1, False, None]
    assert Waitpoint.objects.count() == 2


def test_a_body_that_comes_back_appends_nothing_twice(driver: Driver):
    @task(id="give")
    def give():
        streams.append("tokens", 1)
        wait("1h")
        streams.append("tokens", 2)
        return list(streams.pipe("tokens", [3]))

    run = driver.finish(give)
    assert chunks() == [1]
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        driver.until_idle()
    assert (output(run), chunks()) == ([3], [1, 2, 3])
