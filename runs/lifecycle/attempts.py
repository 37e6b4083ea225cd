"""How attempts end: one verb, one function. Each returns the Ending for `Store.finish`."""

import json
from dataclasses import replace
from typing import Any

from runs import conf
from runs.lifecycle import fleet
from runs.lifecycle.store import Ending
from runs.lifecycle.store.endings import canceled, completed
from runs.models import EventKind, Lease, Run, Task
from runs.retries import RetryPolicy
from runs.states import AttemptStatus, RunStatus

#: Final status of a run whose attempt failed, to how the attempt and the event are called.
FAILURES = {
    RunStatus.FAILED: (AttemptStatus.FAILED, EventKind.FAILED),
    RunStatus.CRASHED: (AttemptStatus.CRASHED, EventKind.CRASHED),
    RunStatus.TIMED_OUT: (AttemptStatus.TIMED_OUT, EventKind.TIMED_OUT),
    RunStatus.SYSTEM_FAILURE: (AttemptStatus.FAILED, EventKind.SYSTEM_FAILED),
}


def complete(run_id: str, token: str, output: str | None) -> Ending:
    """The body returned."""
    return completed(run_id, token, output)


def fail(
    run_id: str,
    token: str,
    error: str,
    status: RunStatus = RunStatus.FAILED,
    reason: str = "",
    *,
    hooked: bool = False,
) -> Ending:
    """The attempt failed and no other follows; `status` says whose fault it was."""
    attempt_status, kind = FAILURES[status]
    return Ending(
        run_id=run_id,
        token=token,
        status=status,
        attempt_status=attempt_status,
        kind=kind,
        error=error,
        reason=reason,
        crashed=status == RunStatus.CRASHED,
        hooked=hooked,
    )


def retry(
    run_id: str,
    token: str,
    error: str,
    delay: float,
    *,
    crashed: bool = False,
    machine: str | None = None,
) -> Ending:
    """The attempt failed; another follows `delay` seconds from now, on `machine` if one is named.

    The slot is given back (DEC-12).
    """
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.QUEUED,
        attempt_status=AttemptStatus.CRASHED if crashed else AttemptStatus.FAILED,
        kind=EventKind.RETRIED,
        error=error,
        delay=delay,
        crashed=crashed,
        machine=machine,
    )


def time_out(run_id: str, token: str, error: str) -> Ending:
    """The attempt executed longer than max_duration; never retried (MD-4)."""
    return fail(run_id, token, error, RunStatus.TIMED_OUT)


def acknowledge_cancel(
    run_id: str, token: str, error: str | None = None, *, hooked: bool = False
) -> Ending:
    """The body of a run that was asked to stop has stopped."""
    return canceled(run_id, token, error, hooked=hooked)


def release(run_id: str, token: str, reason: str, *, started: bool = True) -> Ending:
    """Hand the run back as it was; the attempt does not count as a try."""
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.QUEUED,
        attempt_status=AttemptStatus.RELEASED,
        kind=EventKind.RELEASED,
        reason=reason,
        uncounted=started,
    )


#: Seconds until a run that met the wrong version of two living ones is claimable again.
OTHER_VERSION = 1.0


def park(run_id: str, token: str, reason: str, *, started: bool = True) -> Ending:
    """This version of the code cannot run the task: wait for one that can (DEC-5).

    Where one is alive already, nothing would wake a parked run: it goes back to the queue.
    """
    task_id = Run.objects.values_list("task_id", flat=True).get(pk=run_id)
    if fleet.has(task_id):
        return release(run_id, token, reason, started=started)._replace(delay=OTHER_VERSION)
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.PENDING_VERSION,
        attempt_status=AttemptStatus.RELEASED,
        kind=EventKind.PARKED,
        reason=reason,
        uncounted=started,
    )


#: Code of a lost process to the status its run gets when no attempt is left (features.md 4.6).
CRASH_STATUS = {
    "TASK_PROCESS_SIGTERM": RunStatus.SYSTEM_FAILURE,
    "TASK_PROCESS_SIGKILL_TIMEOUT": RunStatus.SYSTEM_FAILURE,
}
OUT_OF_MEMORY = "TASK_PROCESS_OOM_KILLED"
#: The system ended the process, as it does when the whole machine has no memory left: tried again
#: like any crash, on a larger machine where the task names one.
MAYBE_OUT_OF_MEMORY = "TASK_PROCESS_MAYBE_OOM_KILLED"
#: Never tried again, whatever the policy.
NOT_RETRIED = {"TASK_PROCESS_SIGKILL_TIMEOUT"}


def crash(run_id: str, token: str, code: str, message: str) -> Ending:
    """The process died under the attempt: retried by the task's policy, at most CRASH_LIMIT times."""
    run, error = Run.objects.light().get(pk=run_id), internal_error(code, message)
    if run.status == RunStatus.DEQUEUED:
        return release(run_id, token, message, started=False)
    may_retry = code not in NOT_RETRIED and conf.is_retrying()
    if may_retry and run.crash_count + 1 < conf.get("CRASH_LIMIT"):
        rules, machine = policy(run), None
        if code in (OUT_OF_MEMORY, MAYBE_OUT_OF_MEMORY):
            machine = larger_machine(run, rules)
        if code != OUT_OF_MEMORY:
            rules = replace(rules, max_attempts=run.max_attempts)
        delay = rules.delay(run.attempt_number - run.uncounted_attempts)
        if delay is not None and (machine or code != OUT_OF_MEMORY):
            return retry(run_id, token, error, delay, crashed=True, machine=machine)
    return fail(run_id, token, error, CRASH_STATUS.get(code, RunStatus.CRASHED))


def larger_machine(run: Run, rules: RetryPolicy) -> str | None:
    """Out of memory is retried only where the task names another machine (features.md 4.5)."""
    larger = rules.out_of_memory_machine
    return larger if larger and larger != run.machine else None


def policy(run: Run) -> RetryPolicy:
    """The retry policy of the run's task; out of memory, its number of attempts holds too (OOM-2)."""
    config = Task.objects.filter(pk=run.task_id).values_list("config", flat=True).first()
    retry_config: dict[str, Any] = json.loads(config or "{}").get("retry") or {}
    return RetryPolicy.from_json(retry_config)


def lose(lease: Lease) -> Ending:
    """The lease's whole cluster is gone. Its attempt does not count; a poison pill is stopped."""
    message = "The cluster that executed the run stopped answering."
    return outlive(lease.run_id, lease.token, "TASK_RUN_STALLED_EXECUTING", message)


def outlive(run_id: str, token: str, code: str, message: str) -> Ending:
    """What executed the run ended, maybe not because of it: tried again, at most CRASH_LIMIT times."""
    run = Run.objects.light().get(pk=run_id)
    if run.status == RunStatus.DEQUEUED:
        return release(run_id, token, message, started=False)
    error = internal_error(code, message)
    if run.crash_count + 1 >= conf.get("CRASH_LIMIT"):
        return fail(run_id, token, error, RunStatus.CRASHED)
    return Ending(
        run_id=run_id,
        token=token,
        status=RunStatus.QUEUED,
        attempt_status=AttemptStatus.CRASHED,
        kind=EventKind.RETRIED,
        error=error,
        reason=message,
        uncounted=True,
        crashed=True,
    )


def internal_error(code: str, message: str) -> str:
    """An error that is not the author's exception, in the shape of `Run.error`."""
    return json.dumps(
        {"type": "INTERNAL_ERROR", "name": code, "code": code, "message": message, "frames": []}
    )
