import json
from typing import Any

import pytest

from runs import conf
from runs.lifecycle import attempts, store
from runs.models import Ready, Task
from runs.states import RunStatus
from tests.support.factories import (
    Held,
    claim,
    dequeued_run,
    executing_run,
    finish,
    session,
    task,
    tries,
    trigger,
)

pytestmark = pytest.mark.django_db
OUT_OF_MEMORY = attempts.OUT_OF_MEMORY
EXITED = "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"


def crashed(one: Held, code: str = EXITED) -> Any:
    return finish(attempts.crash(*one.lease, code, "Its process exited with code 3."))


def test_it_is_tried_again_by_the_task_s_policy():
    task(config=json.dumps({"retry": {"min_timeout": 7.0, "randomize": False}}))
    one = executing_run()
    assert crashed(one).won
    run = one.run
    assert (run.status, run.crash_count) == (RunStatus.QUEUED, 1)
    assert run.retry_at
    assert 6 < (run.retry_at - run.updated_at).total_seconds() < 8
    assert json.loads(run.error or "")["code"] == EXITED
    assert tries(run.pk) == [(1, "CRASHED")]


def test_the_last_attempt_s_crash_is_final():
    one = executing_run(max_attempts=1)
    crashed(one)
    assert (one.run.status, Ready.objects.count()) == (RunStatus.CRASHED, 0)


def test_uncounted_attempts_leave_tries():
    one = executing_run(max_attempts=1)
    finish(attempts.release(*one.lease, "Its cluster stopped."))
    again = claim(session())[0]
    store.current().start(*again.lease, 1)
    crashed(again)
    assert again.run.status == RunStatus.CRASHED
    assert again.run.uncounted_attempts == 1


def test_it_is_not_tried_more_often_than_the_crash_limit():
    task(config=json.dumps({"retry": {"min_timeout": 0, "max_attempts": 50}}), max_attempts=50)
    run, by = trigger(), session()
    for _ in range(conf.get("CRASH_LIMIT")):
        one = claim(by)[0]
        store.current().start(*one.lease, 1)
        crashed(one)
    run.refresh_from_db()
    assert (run.status, run.attempt_number) == (RunStatus.CRASHED, conf.get("CRASH_LIMIT"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (EXITED, RunStatus.CRASHED),
        ("TASK_PROCESS_SIGSEGV", RunStatus.CRASHED),
        ("TASK_RUN_CRASHED", RunStatus.CRASHED),
        ("TASK_PROCESS_OOM_KILLED", RunStatus.CRASHED),
        ("TASK_PROCESS_SIGTERM", RunStatus.SYSTEM_FAILURE),
        ("TASK_PROCESS_SIGKILL_TIMEOUT", RunStatus.SYSTEM_FAILURE),
    ],
)
def test_whose_fault_it_was_is_told_by_the_code(code, status):
    one = executing_run(max_attempts=1)
    crashed(one, code)
    assert one.run.status == status


@pytest.mark.parametrize("code", ["TASK_PROCESS_OOM_KILLED", "TASK_PROCESS_SIGKILL_TIMEOUT"])
def test_some_are_not_tried_again(code):
    one = executing_run(max_attempts=9)
    crashed(one, code)
    assert one.run.is_final


def test_a_larger_machine_is_tried_once():
    rules = {"out_of_memory_machine": "large-1x", "min_timeout": 0, "max_attempts": 5}
    task(config=json.dumps({"retry": rules}))
    one = executing_run(max_attempts=1)  # the task's own number counts here
    crashed(one, OUT_OF_MEMORY)
    assert (one.run.status, one.run.machine) == (RunStatus.QUEUED, "large-1x")
    again = claim(session())[0]
    store.current().start(*again.lease, 1)
    crashed(again, OUT_OF_MEMORY)
    assert (again.run.status, again.run.machine) == (RunStatus.CRASHED, "large-1x")
    assert tries(one.run_id) == [(1, "CRASHED"), (2, "CRASHED")]


def test_what_may_be_a_lack_of_memory_takes_the_larger_machine():
    maybe = attempts.MAYBE_OUT_OF_MEMORY
    crashed(one := executing_run(), maybe)
    assert (one.run.status, one.run.machine) == (RunStatus.QUEUED, "small-1x")
    task("big", config=json.dumps({"retry": {"out_of_memory_machine": "large-1x"}}))
    crashed(one := executing_run(task_id="big"), maybe)
    assert (one.run.status, one.run.machine) == (RunStatus.QUEUED, "large-1x")


@pytest.mark.parametrize("code", [EXITED, OUT_OF_MEMORY])
def test_nothing_is_tried_again_where_development_switched_it_off(settings, code):
    settings.TRACKSIDE = {"RETRY_IN_DEV": False, "ENVIRONMENT": {"name": "Here", "kind": "dev"}}
    task(config=json.dumps({"retry": {"out_of_memory_machine": "large-1x"}}))
    one = executing_run(max_attempts=9)
    crashed(one, code)
    assert one.run.status == RunStatus.CRASHED


def test_before_the_start_it_is_only_handed_back():
    one = dequeued_run(max_attempts=1)
    crashed(one)
    assert (one.run.status, one.run.crash_count) == (RunStatus.QUEUED, 0)
    assert tries(one.run_id) == []


def test_a_task_nobody_knows_any_more_has_the_usual_policy():
    one = executing_run()
    Task.objects.all().delete()
    crashed(one)
    assert one.run.status == RunStatus.QUEUED
