"""Waits, delays, tokens and schedules under a clock that can be moved."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from engine import ScheduledPayload, retry, schedule, schedules, step, task, wait
from engine.testing import TracksideError
from runs.lifecycle import sessions
from runs.models import Event, Run, WorkerSession


def test_waits_are_jumped_over(trackside):
    @task
    def onboard() -> float:
        began = step("now", timezone.now)
        wait(days=3)
        wait.until(datetime(2100, 1, 1, tzinfo=UTC))
        return (timezone.now() - began).days

    before = time.monotonic()
    run = trackside.run(onboard)
    assert run.ok
    assert run.output > 365
    assert [one.type for one in run.waits] == ["duration", "duration"]
    assert run.waits[0].seconds == 3 * 86400
    assert run.waits[1].until == datetime(2100, 1, 1, tzinfo=UTC)
    assert trackside.clock.now().year == 2100
    assert time.monotonic() - before < 5


def test_after_the_test_the_clock_is_as_it_was(trackside):
    trackside.clock.advance("1000d")
    assert timezone.now() - datetime.now(UTC) > timedelta(days=999)  # noqa: TID251
    trackside.__exit__()
    assert abs(timezone.now() - datetime.now(UTC)) < timedelta(seconds=60)  # noqa: TID251


def test_a_run_can_be_stopped_at_its_wait(trackside):
    @task
    def reminder() -> str:
        step("mail", lambda: "sent")
        wait("1h30m")
        return "reminded"

    run = trackside.run(reminder, until="wait")
    assert (run.status, run.waiting_for.type) == ("WAITING", "duration")
    assert run.waiting_for.date - trackside.clock.now() == pytest.approx(
        timedelta(minutes=90), abs=timedelta(seconds=5)
    )
    trackside.clock.advance("1h")
    assert run.status == "WAITING"
    trackside.clock.advance(timedelta(minutes=31))
    assert (run.status, run.output) == ("COMPLETED", "reminded")
    assert len(run.steps) == 1


def test_what_falls_due_is_executed_at_its_own_time(trackside):
    @task
    def poll() -> list[int]:
        began = step("began", timezone.now)
        seen = []
        for _ in range(3):
            wait(minutes=10)
            seen.append(step("seen", lambda: round((timezone.now() - began).total_seconds() / 60)))
        return seen

    run = trackside.run(poll, until="wait")
    trackside.clock.advance("25m")
    assert [one.output for one in run.steps[1:]] == [10, 20]
    trackside.clock.advance("5m")
    assert run.output == [10, 20, 30]


def test_a_delayed_run_starts_when_it_is_due(trackside):
    @task(id="later")
    def later(): ...

    run = trackside.trigger(later, delay="1h")
    assert (trackside.drain(), run.status) == (0, "DELAYED")
    trackside.clock.advance("59m")
    assert run.status == "DELAYED"
    trackside.clock.advance("1m")
    assert run.ok


def test_a_queued_run_expires(trackside):
    @task(id="urgent", queue={"concurrency_limit": 0})
    def urgent(): ...

    run = trackside.trigger(urgent, ttl="10m")
    with pytest.raises(TracksideError, match="limit of 0"):
        trackside.finish(run)
    trackside.clock.advance("11m")
    assert run.status == "EXPIRED"


def approval():
    @task(id="approval", on_failure=lambda: None)
    def ask() -> str:
        token = wait.create_token(timeout="7d")
        answer = wait.for_token(token)
        return f"said {answer.output}" if answer.ok else "nobody answered"

    return ask


def test_a_token_is_completed(trackside):
    run = trackside.run(approval(), until="wait")
    assert run.waiting_for.type == "token"
    trackside.complete(run, {"approved": True})
    assert run.output == "said {'approved': True}"
    assert [(one.type, one.targets) for one in run.waits] == [("token", run.waits[0].targets)]


def test_a_token_is_completed_by_its_id(trackside):
    token = wait.create_token()

    @task
    def ask():
        return wait.for_token(token).unwrap()

    run = trackside.run(ask, until="wait")
    trackside.complete(token.id, 5)
    assert run.output == 5


def test_a_token_times_out_when_its_time_has_come(trackside):
    run = trackside.run(approval(), until="wait")
    trackside.clock.advance("6d")
    assert run.status == "WAITING"
    trackside.clock.advance("1d")
    assert run.output == "nobody answered"


def test_a_token_nobody_completes_says_what_to_do(trackside):
    with pytest.raises(TracksideError, match=r"Wait token waitpoint_.* is not completed.*complete"):
        trackside.run(approval())


def test_a_run_that_waits_for_no_token_cannot_be_completed(trackside):
    @task
    def sleeper():
        wait("1h")

    run = trackside.run(sleeper, until="wait")
    with pytest.raises(TracksideError, match="waits for 0 tokens"):
        trackside.complete(run, 1)


def test_another_attempt_after_a_token_comes_at_once(trackside):
    token = wait.create_token()

    @task(retry={"max_attempts": 2})
    def ask(payload, ctx):
        answer = wait.for_token(token).unwrap()
        if ctx.attempt.number == 1:
            raise ConnectionError
        return answer

    run = trackside.run(ask, until="wait")
    trackside.complete(token, "yes")
    assert run.output == "yes"


def test_a_waiting_run_is_canceled_with_its_hooks(trackside):
    ended = []

    @task(on_cancel=lambda run: ended.append(run.error.status))
    def sleeper():
        wait("1h")

    run = trackside.run(sleeper, until="wait")
    trackside.cancel(run)
    assert (run.status, ended) == ("CANCELED", ["CANCELED"])


def test_a_wait_in_an_endless_loop_is_told(trackside, monkeypatch):
    monkeypatch.setattr("engine.testing.harness.MOST_JUMPS", 20)

    @task
    def forever():
        while True:
            wait("1h")

    with pytest.raises(TracksideError, match=r"still open after the clock was moved 20 times"):
        trackside.run(forever)


def test_pauses_in_a_body_are_not_slept(trackside):
    tries = []

    @task
    def block(ctx):
        def ask():
            tries.append(timezone.now())
            if len(tries) < 3:
                raise ConnectionError

        retry.on_throw(ask, min_timeout=100, max_timeout=1000)
        wait(0.5)
        assert not ctx.signal.wait(timeout=60)

    before = time.monotonic()
    assert trackside.run(block).ok
    assert (tries[2] - tries[0]).total_seconds() >= 300
    assert time.monotonic() - before < 3


def test_a_body_that_waits_for_its_signal_for_ever_is_told(trackside):
    @task(retry={"max_attempts": 1})
    def body(ctx):
        ctx.signal.wait()

    assert "which nothing in this test gives" in trackside.run(body).error.message


def test_who_kept_the_clock_gets_the_real_time_after_the_test(trackside):
    kept = timezone.now
    trackside.clock.advance("1000d")
    trackside.__exit__()
    assert abs(kept() - timezone.now()) < timedelta(seconds=60)


def test_the_clock_refuses_the_past_and_the_naive(trackside):
    with pytest.raises(TracksideError, match="cannot go back"):
        trackside.clock.advance_to(datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(TracksideError, match="time zone"):
        trackside.clock.advance_to(datetime(2999, 1, 1))  # noqa: DTZ001


def nightly():
    @task(id="nightly", schedule=schedule("30 2 * * *", timezone="Europe/Zurich"))
    def clean(payload: ScheduledPayload) -> str:
        return f"{payload.local_timestamp:%H:%M} {payload.schedule_id[:6]} {len(payload.upcoming)}"

    return clean


def test_a_scheduled_task_tells_when_it_fires_and_is_fired(trackside):
    clean = nightly()
    first, second = trackside.fires(clean, 2)
    assert second - first == timedelta(days=1)
    assert trackside.fires("0 0 * * *", 1, after=first)[0].hour == 0
    run = trackside.fire(clean)
    assert run.output == "02:30 sched_ 5"
    moment = datetime(2030, 7, 1, 0, 30, tzinfo=UTC)
    assert trackside.fire(clean, moment, external_id="c_1").payload["externalId"] == "c_1"


def test_a_task_without_a_schedule_says_so(trackside):
    @task(id="plain")
    def plain(payload: ScheduledPayload) -> str | None:
        return payload.external_id

    with pytest.raises(TracksideError, match=r"“plain” declares no schedule"):
        trackside.fires(plain)
    assert trackside.fire(plain, external_id="c_1").output == "c_1"


def test_schedules_fire_as_the_clock_advances(trackside):
    clean = nightly()
    trackside.clock.advance("3d")
    assert trackside.runs(clean) == []
    trackside.schedule(clean)
    trackside.clock.advance("3d")
    assert [run.status for run in trackside.runs(clean)] == ["COMPLETED"] * 3
    assert all(" sched_" in run.output for run in trackside.runs(clean))


def test_schedules_made_by_a_body_fire_too(trackside):
    @schedules.task(id="report")
    def report(payload: ScheduledPayload) -> str | None:
        return payload.external_id

    @task
    def sign_up() -> str:
        made = schedules.create(
            task=report, cron="0 8 * * *", external_id="c_42", deduplication_key="c_42"
        )
        return made.id

    assert trackside.run(sign_up).output.startswith("sched_")
    trackside.clock.advance("2d")
    assert [run.output for run in trackside.runs(report)] == ["c_42", "c_42"]


def test_the_database_shows_the_same_time(trackside):
    """Also PostgreSQL, whose functions ask its own clock."""

    @task(id="later", retry={"max_attempts": 2})
    def later(payload, ctx):
        if ctx.attempt.number == 1:
            raise ConnectionError

    trackside.clock.advance("100d")
    run = trackside.run(later)
    row = Run.objects.get(pk=run.id)
    assert row.finished_at - row.created_at < timedelta(minutes=1)
    assert abs(row.finished_at - trackside.clock.now()) < timedelta(minutes=1)
    moments = list(Event.objects.filter(run_id=run.id).order_by("id").values_list("at", flat=True))
    assert moments == sorted(moments)
    sessions.renew(trackside.worker.session.pk)
    expires = WorkerSession.objects.get().expires_at
    if connection.vendor == "postgresql":
        assert expires > trackside.clock.now()


@pytest.mark.django_db(transaction=True)
def test_it_works_where_tests_commit(trackside):
    @task
    def sleeper():
        wait("1h")
        return connection.in_atomic_block

    assert trackside.run(sleeper).output is False


def test_a_body_that_pauses_longer_than_it_may_execute_times_out(trackside):
    seen = []

    @task(id="watching", max_duration=60, on_failure=lambda error: seen.append(error.code))
    def watching(payload, ctx):
        assert step("work", ctx.signal.wait, 50) is False
        wait("1d")
        ctx.signal.wait()  # ten seconds are left
        seen.append(ctx.signal.reason)
        ctx.signal.raise_if_aborted()

    began = trackside.clock.now()
    run = trackside.run(watching)
    assert (run.status, len(run.attempts)) == ("TIMED_OUT", 1)
    assert seen == ["timeout", "MAX_DURATION_EXCEEDED"]
    passed = trackside.clock.now() - began
    assert timedelta(days=1, seconds=60) <= passed < timedelta(days=1, seconds=75)


def test_a_pause_within_its_time_passes_by(trackside):
    @task(id="resting", max_duration=60)
    def resting(payload, ctx):
        return ctx.signal.wait(59)

    assert trackside.run(resting).output is False
