"""The checker itself: evidence that is sound passes, and each way of breaking a promise is told."""

import json

import pytest

from tests.chaos import checks
from tests.chaos.evidence import Evidence
from tests.chaos.work import plain_output


def run(run_id, kind="plain", status="COMPLETED", **facts):
    payload = {"n": 7, "seconds": 0}
    row = {
        "id": run_id, "task_id": kind, "status": status, "payload": json.dumps(payload), "error": None,
        "output": json.dumps(plain_output(payload)) if status == "COMPLETED" else None, "queue": "task/plain",
        "concurrency_key": None, "attempt_number": 1, "max_attempts": 30, "uncounted_attempts": 0,
        "crash_count": 0, "max_duration": None, "idempotency_key": None, "parent_id": None,
        "schedule_id": None, "created_at": 100.0, "delay_until": None, "expires_at": None,
        "finished_at": 102.0, "started_at": 101.0,
    }  # fmt: skip
    return row | facts


def event(run_id, kind, status, at, attempt=1):
    return {"run_id": run_id, "kind": kind, "status": status, "at": at, "attempt": attempt,
            "reason": "", "actor": ""}  # fmt: skip


def note(what, run_id, at, attempt=1, pid=11, host="node-0", **facts):
    return {"what": what, "run": run_id, "attempt": attempt, "pid": pid, "host": host, "at": at,
            "queue": "task/plain", "key": "", **facts}  # fmt: skip


def attempt(run_id, number=1, status="COMPLETED", pid=11, **facts):
    row = {"run_id": run_id, "number": number, "status": status, "session_id": "worker_1", "pid": pid,
           "started_at": 101.0, "finished_at": 102.0, "error": None, "retry_at": None}  # fmt: skip
    return row | facts


def sound():
    """One run of which everything is in order, on one node."""
    found = Evidence(limits={"one": (1, None), "all": (None, 1)})
    found.log = [{"what": "start", "host": "node-0", "pid": 10, "at": 90.0}]
    found.sessions = {
        "worker_1": {"id": "worker_1", "pid": 10, "state": "ALIVE", "stopped_at": None}
    }
    add(found, run("run_a"))
    return found


def add(e, row, kind=None, **item):
    """A run that was accepted, executed and recorded."""
    run_id = row["id"]
    e.runs[run_id] = row
    e.log.append({"what": "accepted", "run": run_id, "kind": kind or row["task_id"], "n": 7, "at": 100.0,
                  "item": {"payload": json.loads(row["payload"]), **item}})  # fmt: skip
    e.events += [
        event(run_id, "triggered", "QUEUED", 100.0, 0),
        event(run_id, "started", "EXECUTING", 101.0),
        event(run_id, row["status"].lower(), row["status"], 102.0),
    ]
    e.attempts.append(attempt(run_id))
    e.notes += [
        note("begin", run_id, 101.0),
        note("enter", run_id, 101.0),
        note("exit", run_id, 101.9),
    ]


def test_sound_evidence_breaks_nothing():
    assert checks.broken(sound()) == {}


def lost(e):
    e.log.append({"what": "accepted", "run": "run_gone", "kind": "plain", "n": 1, "at": 100.0})


def ended_twice(e):
    e.events.append(event("run_a", "completed", "COMPLETED", 103.0))


def dropped_event(e):
    e.events.pop()


def entered_late(e):
    e.notes.append(note("begin", "run_a", 103.0, attempt=2))
    e.attempts.append(attempt("run_a", 2))


def entered_twice(e):
    e.notes.append(note("begin", "run_a", 101.5, pid=12))


def answered_by_another(e):
    e.attempts[0]["pid"] = 99


def gap_in_attempts(e):
    e.attempts[0]["number"] = 2


def lost_to_nothing(e):
    e.attempts.insert(0, attempt("run_a", 1, "CRASHED", finished_at=101.2))
    e.attempts[1]["number"] = e.runs["run_a"]["attempt_number"] = 2
    e.notes.append(note("begin", "run_a", 101.5, attempt=2))


def handed_back_and_counted(e):
    e.attempts.insert(0, attempt("run_a", 1, "RELEASED", finished_at=101.2))
    e.attempts[1]["number"] = e.runs["run_a"]["attempt_number"] = 2


def given_up_for_nothing(e):
    e.sessions["worker_1"].update(state="DEAD", heartbeat_at=149.5, stopped_at=150.0)


def given_up_after_an_outage(e):
    """Every heartbeat is as old as the outage was long."""
    e.sessions["worker_1"].update(state="DEAD", heartbeat_at=140.0, stopped_at=150.0)
    e.log.append({"what": "outage", "kind": "restart", "began": 140.1, "at": 149.0, "seconds": 8.9})


def given_up_and_alive(e):
    lost_to_nothing(e)
    e.attempts[0]["error"] = "TASK_RUN_STALLED_EXECUTING"
    e.log.append({"what": "kill", "kind": "node", "host": "node-0", "pids": [11], "at": 101.1})


def open_run(e):
    e.runs["run_b"] = run("run_b", status="WAITING", finished_at=None, attempt_number=0)


def orphan_lease(e):
    e.leases.append("run_a")


def left_process(e):
    e.processes.append(4711)


def breached(e):
    e.breaches.append(("run_a", "concurrency_limit", 2, 1))


def overlapping(e):
    for run_id, pid in (("run_a", 11), ("run_x", 12)):
        e.notes.append(note("enter", run_id, 101.2, pid=pid, queue="one", attempt=3))
        e.notes.append(note("exit", run_id, 101.3, pid=pid, queue="one", attempt=3))


def overlapping_keys(e):
    overlapping(e)
    for number, found in enumerate(e.notes[-4:]):
        found.update(queue="all", key=str(number // 2))


def step_row(value):
    return {"run_id": "run_a", "kind": "step", "name": "s", "status": "DONE", "result": json.dumps(value),
            "finished_at": 101.1, "due_at": None}  # fmt: skip


def step_again(e):
    e.journal.append(step_row("x"))
    e.notes.append(note("step-enter", "run_a", 101.5, name="s"))


def step_answer(e):
    e.journal.append(step_row("x"))
    e.notes.append(note("answer", "run_a", 101.5, name="s", value="y"))


def token(**facts):
    return {"id": "waitpoint_1", "status": "COMPLETED", "output": '{"is":1}', "completed_at": 101.0,
            "timeout_at": 110.0} | facts  # fmt: skip


def second_completion(e):
    e.tokens["waitpoint_1"] = token()
    e.log.append({"what": "completed", "token": "waitpoint_1", "done": '{"is":2}', "at": 102.0})


def wrong_answer(e):
    e.tokens["waitpoint_1"] = token()
    payload = json.dumps({"n": 7, "token": "waitpoint_1"})
    answer = json.dumps({"ok": True, "answer": {"is": 2}, "after": ""})
    add(e, run("run_q", "ask", payload=payload, output=answer))


def early_time_out(e):
    e.tokens["waitpoint_1"] = token(status="TIMED_OUT", output=None)


def two_for_a_key(e):
    for name in ("run_k", "run_l"):
        e.log.append({"what": "storm", "key": "k", "run": name, "at": 100.0})


def tick_twice(e):
    tick = {"schedule_id": "s", "at": 100.0, "run_id": "run_a"}
    e.ticks += [tick, {**tick, "at": 101.0}]


def tick_missed(e):
    e.log.append({"what": "due", "schedule": "s", "when": 100.0, "at": 99.0})


def tick_early(e):
    e.ticks.append({"schedule_id": "s", "at": 100.5, "run_id": "run_a"})


def missing_child(e):
    payload = json.dumps({"n": 7, "many": 2})
    output = json.dumps([plain_output({"n": 700}), plain_output({"n": 701})])
    add(e, run("run_p", "batch", payload=payload, output=output))


def wrong_child(e):
    output = json.dumps({"depth": 1, "step": "", "below": {"depth": 0, "step": "q", "below": None}})
    add(e, run("run_p", "nest", payload=json.dumps({"n": 7, "depth": 1}), output=output))
    child = run("run_c", "nest", parent_id="run_p", payload=json.dumps({"n": 7, "depth": 0}))
    add(e, child | {"output": json.dumps({"depth": 0, "step": "w", "below": None})})


def delayed(e):
    e.runs["run_a"]["delay_until"] = 101.5


def retried_early(e):
    e.attempts[0].update(status="FAILED", retry_at=103.0)
    e.attempts.append(attempt("run_a", 2))
    e.runs["run_a"]["attempt_number"] = 2
    e.notes.append(note("begin", "run_a", 101.99, attempt=2))


def back_early(e):
    e.journal.append(step_row(None) | {"kind": "wait", "due_at": 105.0})


def expired_after_start(e):
    add(e, run("run_t", status="EXPIRED", expires_at=101.0), kind="ttl")


def wrong_output(e):
    e.runs["run_a"]["output"] = json.dumps(plain_output({"n": 8}))


def wrong_end(e):
    e.runs["run_a"]["status"] = e.events[-1]["status"] = "FAILED"
    e.events[-1]["kind"] = "failed"


def repaired(e):
    e.events.insert(1, event("run_a", "repaired", "QUEUED", 100.5))


def deadlocked(e):
    e.deadlocks = 1


def mistaken(e):
    e.mistakes.append("CRITICAL Worker 1 ends because of a mistake in Trackside.")


def unanswered(e):
    e.log += [{"what": "call", "name": "trigger", "began": 100.0, "at": 101.0, "tries": 7, "ok": False,
               "errors": ["x"]}] * 5  # fmt: skip


def answered_500(e):
    e.log.append({"what": "refused", "status": 500, "text": "", "at": 101.0})


def slow_recovery(e):
    lost_to_nothing(e)
    e.attempts[0]["finished_at"] = 201.2
    e.log.append({"what": "kill", "kind": "worker", "host": "node-0", "pids": [11], "at": 101.1})


def slow_tick(e):
    e.ticks.append({"schedule_id": "s", "at": 50.0, "run_id": "run_a"})


def slow_cancel(e):
    e.log.append({"what": "canceled", "run": "run_a", "status": "EXECUTING", "at": 50.0})


def unfair(e):
    """Key b has its second run in line all the time, and key a has all the turns."""
    for number, key in enumerate(["b", *(["a", "c"] * 6), "b"]):
        name = f"run_{number}"
        e.runs[name] = run(name, queue="fair", concurrency_key=key)
        e.notes.append(note("begin", name, 101.0 + number / 100, queue="fair", key=key))


def damaged(e):
    e.damage.append("row 1 missing from index run_by_status")


def illegal(e):
    e.events.insert(1, event("run_a", "completed", "COMPLETED", 100.2))


BREAKS = {
    "I1 lost": [lost, open_run],
    "I2 terminal once": [ended_twice, dropped_event],
    "I3 entered after success": [entered_late],
    "I4 attempts": [entered_twice, answered_by_another, gap_in_attempts, lost_to_nothing, handed_back_and_counted, given_up_for_nothing, given_up_after_an_outage, given_up_and_alive],
    "I5 stuck": [open_run, orphan_lease, left_process],
    "I6 limits": [breached, overlapping, overlapping_keys],
    "I7 journal": [step_again, step_answer],
    "I8 waits": [second_completion, wrong_answer],
    "I9 once for a key and a tick": [two_for_a_key, tick_twice, tick_missed],
    "I10 parents": [missing_child, wrong_child],
    "I11 early": [delayed, retried_early, back_early, expired_after_start, early_time_out, tick_early],
    "I12 data": [wrong_output, wrong_end],
    "I13 repairs and mistakes": [repaired, deadlocked, mistaken],
    "I14 availability": [unanswered, answered_500],
    "I15 recovery": [slow_recovery, slow_tick, slow_cancel],
    "I16 fairness": [unfair],
    "I17 integrity": [damaged],
    "I18 history": [illegal],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "breaking"),
    [(n, b) for n, found in BREAKS.items() for b in found if n != "I1 lost" or b is lost],
)
def test_what_is_broken_is_told(name, breaking):
    found = sound()
    breaking(found)
    assert name in checks.broken(found)


def test_every_invariant_can_fail():
    assert list(BREAKS) == list(checks.ALL)


def test_a_run_that_was_accepted_and_is_open_is_lost():
    found = sound()
    found.runs["run_a"]["status"] = "EXECUTING"
    assert "I1 lost" in checks.broken(found)


@pytest.mark.parametrize(("unseen", "told"), [(1, set()), (2, {"I4 attempts"})])
def test_a_node_that_was_killed_may_have_entered_a_body_unseen(unseen, told):
    """Once, and only just before; see TOGETHER_RUNS."""
    found = sound()
    found.log.append({"what": "kill", "kind": "node", "host": "node-9", "pids": [91], "at": 100.9})
    found.notes += [note("begin", "run_a", 100.89, pid=91, host="node-9")] * unseen
    assert set(checks.broken(found)) == told


def test_a_body_on_a_node_that_is_cut_off_does_not_count():
    found = sound()
    overlapping(found)
    for one in found.notes:
        if one["pid"] == 12:
            one["host"] = "node-9"
    found.log.append(
        {"what": "healed", "host": "node-9", "since": 101.0, "at": 105.0, "how": "mute"}
    )
    assert "I6 limits" not in checks.broken(found)
