"""Every example of the overview, executed."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import overview
import pytest

from engine import InvalidPayload, Task
from engine.sdk.cancellation import CancelSignal
from engine.testing import Trackside


def sleeping(instead):
    """The module asyncio with another `sleep`, for one module: other threads of the suite sleep too."""
    return SimpleNamespace(**{**vars(asyncio), "sleep": instead})


#: Task, payload, status, output, and what the last log line begins with.
EXAMPLES = [
    ("hello-world", {}, "COMPLETED", None, "Hello world!"),
    ("trigger-and-wait", None, "COMPLETED", ["ONE", "TWO", "THREE"], ""),
    ("shout", {"message": "a"}, "COMPLETED", "A", ""),
    ("task-with-retries", None, "COMPLETED", 3, ""),
    ("task-with-retries", {"fail": 0}, "COMPLETED", 1, ""),
    ("heavy-task", None, "COMPLETED", "large-1x: 4 vCPU, 8 GB", ""),
    ("heavy-task-older", None, "COMPLETED", "medium-2x", ""),
    ("long-task", None, "COMPLETED", 300.0, ""),
    ("time-sensitive-task", None, "COMPLETED", "in time", ""),
    ("schema-task", {"words": 3}, "COMPLETED", "3 words about 'Tell me a story'", ""),
    ("task-with-middleware", None, "COMPLETED", True, "Disconnecting from the database"),
    ("task-with-on-start-attempt", None, "COMPLETED", None, "it is the first one"),
    ("task-with-on-wait-and-on-resume", None, "COMPLETED", None, "Run finished"),
    ("task-with-on-success", None, "COMPLETED", "fine", "Task succeeded"),
    ("task-with-on-complete", None, "COMPLETED", "fine", "Run succeeded"),
    ("task-with-on-complete", {"fail": True}, "FAILED", None, "Run failed"),
    ("task-with-on-failure", None, "FAILED", None, "Task failed for good"),
    ("task-with-catch-error", None, "FAILED", None, ""),
    ("interruptible-chat", {"words": 2}, "COMPLETED", "word0 word1", ""),
    ("cancel-example", {}, "COMPLETED", {"message": "Hello world!"}, ""),
    ("task-with-on-start", None, "COMPLETED", None, "Run started"),
    ("task-with-init-return", None, "COMPLETED", "some value", ""),
    ("task-with-cleanup", None, "COMPLETED", None, "cleaning up"),
    ("task-with-handle-error", None, "FAILED", None, "an attempt failed"),
]
#: Tested below.
OTHERS = {"trigger-hello-world", "trigger-by-id", "one-at-a-time", "first-scheduled-task"}
TASKS = {one.id: one for one in vars(overview).values() if isinstance(one, Task)}


async def at_once(seconds):
    """Stands for the pauses of a body."""


@pytest.mark.parametrize(("task_id", "payload", "status", "output", "said"), EXAMPLES)
def test_the_example_does_what_it_says(
    trackside: Trackside, monkeypatch, task_id, payload, status, output, said
):
    monkeypatch.setattr(overview, "asyncio", sleeping(at_once))
    run = trackside.run(task_id, payload)
    assert (run.status, run.output) == (status, output)
    assert not said or run.messages[-1].startswith(said)


def test_every_example_is_executed():
    assert {example[0] for example in EXAMPLES} | OTHERS == set(TASKS)


@pytest.mark.parametrize("task_id", ["trigger-hello-world", "trigger-by-id"])
def test_a_task_triggers_another(trackside: Trackside, task_id):
    run = trackside.run(task_id)
    assert run.output == run.children[0].id
    assert run.children[0].status == "COMPLETED"


def test_the_delays_of_the_retries(trackside: Trackside):
    run = trackside.run(overview.task_with_retries, {"fail": 3})
    assert [one.retry_delay for one in run.attempts] == [0.5, 0.9, 1.62, None]


def test_one_at_a_time_has_a_queue_of_its_own(trackside: Trackside, monkeypatch):
    monkeypatch.setattr("overview.time.sleep", lambda seconds: None)
    run = trackside.run(overview.one_at_a_time)
    assert (run.output, run.row.queue) == ("my turn is over", "task/one-at-a-time")
    assert overview.one_at_a_time.queue.concurrency_limit == 1


def test_what_is_late_expires(trackside: Trackside):
    run = trackside.trigger(overview.time_sensitive_task)
    trackside.clock.jump(trackside.clock.now().replace(year=2999))
    trackside.drain()
    assert run.status == "EXPIRED"


def test_a_wrong_payload_makes_no_run(trackside: Trackside):
    with pytest.raises(InvalidPayload, match=r"\$\.words"):
        trackside.run(TASKS["schema-task"], {"words": 0})
    assert trackside.runs() == []


def test_every_morning_in_tokyo(trackside: Trackside):
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert trackside.fires(overview.first_scheduled_task, 1, after=noon)[0].hour == 20
    assert trackside.fire(overview.first_scheduled_task).output == "05:00 in Asia/Tokyo"


def test_a_canceled_chat_keeps_what_came(trackside: Trackside, monkeypatch):
    heard = []

    async def cancel_at_third(seconds):
        heard.append(seconds)
        if len(heard) == 3:
            trackside.cancel()
        await pause(0)

    pause = asyncio.sleep
    monkeypatch.setattr(overview, "asyncio", sleeping(cancel_at_third))
    run = trackside.run(overview.interruptible_chat, overview.Prompt(words=9))
    assert run.status == "CANCELED"
    assert run.messages == ['saving {"chunks": ["word0", "word1"]}']


def test_a_canceled_run_may_end_its_work(trackside: Trackside, monkeypatch):
    monkeypatch.setattr(CancelSignal, "wait", lambda *_, **__: trackside.cancel())
    run = trackside.run(overview.cancel_example, overview.Message())
    assert run.status == "CANCELED"
    assert run.messages == ['the body came to {"output": {"message": "Hello world!"}}']
