"""What authors rely on when they wait (features.md section 11), whatever makes it so."""

from datetime import timedelta

import pytest
from django.utils import timezone

from engine import queue, task, wait
from runs.models import Ready, Run, Waiter
from tests.support import factories

DAY = 86400


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ({"seconds": 90}, 90),
        ({"minutes": 1.5}, 90),
        ({"hours": 2}, 7200),
        ({"days": 1}, DAY),
        ({"weeks": 1}, 7 * DAY),
        ({"months": 1}, 30 * DAY),
        ({"years": 1}, 365 * DAY),
        ({"years": 50}, 50 * 365 * DAY),
    ],
)
def test_a_duration_has_one_unit(trackside, parts, seconds):
    @task(id="sleeper")
    def sleeper():
        wait(**parts)

    run = trackside.run(sleeper, until="wait")
    assert run.waits[0].seconds == pytest.approx(seconds, abs=5)


def test_a_run_whose_wait_is_over_gets_in_line_for_a_slot(trackside):
    lane = queue("lane", concurrency_limit=1)

    @task(id="sleeper", queue=lane)
    def sleeper():
        wait(60)
        return timezone.now().isoformat()

    waiting = trackside.run(sleeper, until="wait")
    # another run takes the slot it gave back
    other = factories.trigger("other", queue="lane")
    (held,) = factories.claim(factories.session())
    assert held.run_id == other.pk
    factories.start(held)
    trackside.clock.advance("2m")
    assert waiting.status == "QUEUED"
    factories.complete(held)
    trackside.drain()
    assert waiting.status == "COMPLETED"


def test_a_failed_attempt_waits_for_nothing_and_what_it_waited_for_stays(trackside):
    tokens = [wait.create_token(), wait.create_token()]

    @task(id="child")
    def child():
        wait("1d")
        return "grown"

    @task(id="two", retry={"max_attempts": 2, "min_timeout": 3600, "max_timeout": 3600})
    def two(payload, ctx):
        if ctx.attempt.number == 1:
            wait.any([child.trigger(), *tokens])
            raise ValueError("not now")
        return wait.for_token(tokens[1]).unwrap()

    run = trackside.trigger(two)
    trackside.drain()
    assert Waiter.objects.filter(run_id=run.id).count() == 3
    wait.complete_token(tokens[0], 1)
    trackside.drain()
    assert not Waiter.objects.filter(run_id=run.id).exists()
    assert wait.retrieve_token(tokens[1])["status"] == "WAITING"
    (below,) = trackside.runs(child)
    assert below.status == "WAITING"
    trackside.clock.advance("2h")
    assert run.waiting_for.token_id == tokens[1].id
    trackside.complete(tokens[1], "now")
    assert run.output == "now"
    trackside.clock.advance("1d")
    assert below.output == "grown"


def test_a_token_without_a_timeout_never_expires(trackside):
    token = wait.create_token()

    @task(id="patient")
    def patient():
        return wait.for_token(token).unwrap()

    run = trackside.run(patient, until="wait")
    trackside.clock.advance(timedelta(days=3650))
    assert run.status == "WAITING"
    trackside.complete(run, {"at": "last"})
    assert run.output == {"at": "last"}


def test_a_token_gives_every_run_the_same_output(trackside):
    token = wait.create_token(tags=["a"] * 3)

    @task(id="patient")
    def patient(payload: int):
        return wait.for_token(token.id).output

    runs = [trackside.run(patient, number, until="wait") for number in range(3)]
    trackside.complete(token, {"n": [1, None]})
    wait.complete_token(token, "too late")
    assert [run.output for run in runs] == [{"n": [1, None]}] * 3
    assert wait.retrieve_token(token)["tags"] == ["a"]


def test_a_wait_that_is_over_is_not_waited_for_again_by_the_next_attempt(trackside):
    @task(id="later", retry={"max_attempts": 2, "min_timeout": 60, "max_timeout": 60})
    def later(payload, ctx):
        wait("1h")
        if ctx.attempt.number == 1:
            raise ValueError("once")
        wait("2h")

    began = trackside.clock.now()
    assert trackside.run(later).ok
    passed = trackside.clock.now() - began
    assert timedelta(hours=3, minutes=1) <= passed < timedelta(hours=3, minutes=2)


def test_a_canceled_run_leaves_its_token_and_nothing_to_wake(trackside):
    token = wait.create_token()

    @task(id="patient")
    def patient():
        wait.for_token(token)

    run = trackside.run(patient, until="wait")
    trackside.cancel(run)
    assert (run.status, wait.retrieve_token(token)["status"]) == ("CANCELED", "WAITING")
    assert not Waiter.objects.exists()
    assert not Ready.objects.exists()
    trackside.complete(token)
    assert Run.objects.get(pk=run.id).status == "CANCELED"
