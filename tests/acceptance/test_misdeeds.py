"""Bodies that misbehave (B rows of the fault catalogue)."""

import json
from pathlib import Path

import pytest

from runs.models import Attempt, LogLine
from runs.states import RunStatus
from tests.support.site import is_gone
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
#: The parent and the kernel tell these ends apart; the database writes down each in the same way.
ONCE = pytest.mark.once


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("segfault", RunStatus.CRASHED, "TASK_PROCESS_SIGSEGV"),
        pytest.param(
            "exit", RunStatus.CRASHED, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", marks=ONCE
        ),
        pytest.param(
            "exit-3", RunStatus.CRASHED, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", marks=ONCE
        ),
        pytest.param("abort", RunStatus.CRASHED, "SIGABRT", marks=ONCE),
        ("terminated", RunStatus.SYSTEM_FAILURE, "TASK_PROCESS_SIGTERM"),
        pytest.param("system-exit", RunStatus.CRASHED, "SystemExit", marks=ONCE),
    ],
)
def test_ending_the_process_is_no_success(calm, how, status, says):
    run = calm.ended(calm.trigger("end", how))
    assert (run.status, says in run.error) == (status, True), run.error
    assert run.output is None


def test_a_poison_pill_is_stopped_and_others_go_on(calm):
    pill = calm.trigger("poison")
    others = calm.trigger_many("work", [{"seconds": 0.01}] * 10)
    assert calm.ended(pill).status == RunStatus.CRASHED
    assert Attempt.objects.filter(run_id=pill).count() == 3
    for run_id in others:
        assert calm.completed(run_id).attempt_number == 1


@ONCE
def test_running_out_of_python_memory_is_a_failure(calm):
    run = calm.ended(calm.trigger("python-oom"))
    assert (run.status, "MemoryError" in run.error) == (RunStatus.CRASHED, True)
    # and the limit went with it
    assert calm.completed(calm.trigger("pid")).attempt_number == 1


def test_more_memory_than_the_machine_has_is_killed(calm):
    run = calm.ended(calm.trigger("hungry"))
    error = json.loads(run.error)
    assert (run.status, run.attempt_number) == (RunStatus.CRASHED, 1)
    assert error["code"] == "TASK_PROCESS_OOM_KILLED"


@ONCE
@pytest.mark.parametrize("how", ["return", "die"])
def test_processes_left_behind_are_killed(calm, how):
    calm.ended(calm.trigger("parent", how))
    eventually(lambda: not [pid for pid in calm.marked() if is_sleep(pid)])


def is_sleep(pid):
    return not is_gone(pid) and Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"


@ONCE
def test_a_fork_that_returns_is_not_a_second_worker(calm):
    run = calm.completed(calm.trigger("fork-returns"))
    assert int(run.output) == Attempt.objects.get(run_id=run.pk).pid


@pytest.mark.parametrize("how", ["close", pytest.param("reuse", marks=ONCE)])
def test_closing_all_files_hurts_nobody_else(calm, how):
    run = calm.completed(calm.trigger("close-files", how))
    assert (run.output, run.attempt_number) == ('"closed"', 1)
    for _ in range(4):
        assert calm.completed(calm.trigger("work")).attempt_number == 1


@ONCE
@pytest.mark.parametrize("how", ["mostly", "clock"])
def test_the_next_run_finds_the_process_as_it_was(calm, how):
    before = calm.completed(calm.trigger("tidy")).output
    for _ in range(2):
        assert calm.completed(calm.trigger("untidy", how)).attempt_number == 1
        assert json.loads(calm.completed(calm.trigger("tidy")).output) == json.loads(before)


def test_a_flood_of_output_is_bounded(calm):
    run_id = calm.trigger("flood")
    calm.completed(run_id, within=60)
    assert LogLine.objects.filter(run_id=run_id).count() <= 10_001
    eventually(LogLine.objects.filter(run_id=run_id, message__contains="dropped").exists)
