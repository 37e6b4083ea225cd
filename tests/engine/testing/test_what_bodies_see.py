"""What a body sees of its run, and what it does not hand on (features.md sections 14, 16 to 18)."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import current, hooks, metadata, step, tags, task, tasks, wait
from runs import lifecycle
from runs.errors import PayloadTooLarge


def test_ctx_says_everything_about_the_run(trackside, settings):
    settings.TRACKSIDE = {"ENVIRONMENT": {"name": "Shop", "kind": "staging"}}
    seen = []

    @task(id="look", queue={"name": "lookers"}, machine="small-2x")
    def look(payload, ctx):
        seen.append(ctx)

    options = {
        "tags": ["b", "a"], "idempotency_key": "once", "max_attempts": 4, "max_duration": 60,
        "priority": 3, "concurrency_key": "k", "metadata": {"m": 1}, "test": True,
    }  # fmt: skip
    run = trackside.run(look, **options)
    assert run.ok
    (ctx,) = seen
    assert (ctx.task.id, Path(ctx.task.file_path)) == ("look", Path(__file__))
    assert (ctx.attempt.number, type(ctx.attempt.started_at)) == (1, datetime)
    assert ctx.queue.name == "lookers"
    assert (ctx.environment.name, ctx.environment.type) == ("Shop", "staging")
    assert (ctx.machine.name, ctx.machine.cpu, ctx.machine.memory) == ("small-2x", 1, 1)
    assert (ctx.batch, ctx.webhook) == (None, None)
    about, row = ctx.run, run.row
    assert (about.id, set(about.tags)) == (run.id, {"a", "b"})
    assert (about.is_test, about.is_replay) == (True, False)
    assert (about.created_at, about.started_at) == (row.created_at, row.started_at)
    assert (about.idempotency_key, about.idempotency_key_scope) == ("once", row.idempotency_scope)
    assert (about.max_attempts, about.max_duration) == (4, 60)
    assert (about.priority, about.concurrency_key, about.metadata) == (3, "k", {"m": 1})
    assert (about.parent_task_run_id, about.root_task_run_id) == (None, None)
    with pytest.raises(AttributeError):
        about.id = "run_2"


def test_ctx_of_children_batches_and_replays_says_where_they_come_from(trackside):
    @task(id="leaf")
    def leaf(payload, ctx):
        run = ctx.run
        batch_id = ctx.batch.id if ctx.batch else None
        return [run.parent_task_run_id, run.root_task_run_id, batch_id, run.is_replay]

    @task(id="middle")
    def middle(payload):
        return leaf.batch_trigger_and_wait([{"payload": 1}]).id, leaf.trigger(2).id

    @task(id="top")
    def top(payload):
        return middle.trigger_and_wait(payload).id

    run = trackside.run(top)
    batched, single = trackside.runs(leaf)
    (below,) = trackside.runs(middle)
    assert batched.output == [below.id, run.id, batched.row.batch_id, False]
    assert single.output == [below.id, run.id, None, False]
    assert batched.row.batch_id is not None
    again = lifecycle.replay(single.id, actor="user:ada").run_id
    trackside.drain()
    (replayed,) = [one for one in trackside.runs(leaf) if one.id == again]
    assert replayed.output == [None, None, None, True]


def test_what_an_attempt_notes_the_next_one_finds_and_ctx_stays_as_it_was(trackside):
    seen = []

    @task(id="noting", retry={"max_attempts": 2})
    def noting(payload, ctx):
        seen.append((ctx.run.tags, ctx.run.metadata, metadata.get("n")))
        metadata.increment("n")
        tags.add("second")
        assert (ctx.run.tags, ctx.run.metadata) == seen[-1][:2]
        if ctx.attempt.number == 1:
            raise ValueError("once")

    run = trackside.run(noting, tags="first", metadata={"n": 1})
    assert seen == [(("first",), {"n": 1}, 1), (("first", "second"), {"n": 2}, 2)]
    assert (run.metadata, run.tags) == ({"n": 3}, ["first", "second"])


def test_what_is_noted_before_a_wait_is_stored_there_and_once(trackside):
    @task(id="pausing")
    def pausing(payload):
        metadata.increment("n")
        tags.add("seen")
        wait("1h")
        return metadata.get("n")

    run = trackside.run(pausing, until="wait")
    assert (run.metadata, run.tags) == ({"n": 1}, ["seen"])
    assert trackside.finish(run).output == 1
    assert run.metadata == {"n": 1}


def test_children_get_neither_tags_nor_metadata(trackside):
    @task(id="child")
    def child(payload, ctx):
        return [list(ctx.run.tags), ctx.run.metadata, metadata.current()]

    @task(id="parent")
    def parent(payload):
        return tasks.trigger_and_wait("child", 1).unwrap()

    assert trackside.run(parent, tags="a", metadata={"n": 1}).output == [[], None, {}]


def test_hooks_and_helpers_find_the_same_ctx(trackside):
    seen = []

    def helper():
        seen.append(current().run.id)

    @task(id="hooked", on_success=helper, on_start_attempt=lambda ctx: seen.append(ctx.run.id))
    def hooked(payload, ctx):
        helper()

    @hooks.on_complete
    def noted(ctx):
        seen.append(ctx.run.id)

    run = trackside.run(hooked)
    assert seen == [run.id] * 4


def test_none_is_a_payload_and_an_output(trackside):
    @task(id="nothing")
    def nothing(payload):
        return payload

    run = trackside.run(nothing)
    assert (run.row.payload, run.output) == (None, None)
    assert trackside.run(nothing, None).ok


def test_too_large_payloads_make_no_run_and_too_large_outputs_fail_once(trackside, settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 200, "OUTPUT_LIMIT": 100}

    @task(id="big")
    def big(payload):
        return "x" * 100

    with pytest.raises(PayloadTooLarge, match="Task “big”: the payload has 302 bytes; the limit"):
        big.trigger("y" * 300)
    with pytest.raises(PayloadTooLarge, match=r"^Item 1: Task “big”"):
        big.batch_trigger([{"payload": 1}, {"payload": "y" * 300}])
    assert trackside.runs() == []
    run = trackside.run(big)
    assert (run.status, len(run.attempts)) == ("FAILED", 1)
    assert "larger than the limit of 100 bytes" in str(run.error)


def test_after_a_wait_ctx_is_taken_again_and_a_step_keeps_what_it_said(trackside):
    seen = []

    @task(id="waits", tags=["first"])
    def waits(payload, ctx):
        kept = step("tags", lambda: list(ctx.run.tags))
        seen.append((ctx.run.tags, ctx.run.metadata, ctx.attempt, ctx.run.started_at))
        tags.add("second")
        metadata.set("at", "work")
        assert ctx.run.tags == seen[-1][0]
        wait("1h")
        return kept

    assert trackside.run(waits).output == ["first"]
    (tags_before, before, first, began), (tags_after, after, again, began_after) = seen
    assert (tags_before, sorted(tags_after)) == (("first",), ["first", "second"])
    assert (before or {}, after) == ({}, {"at": "work"})
    assert (first.number, again.number, began_after) == (1, 1, began)
    assert again.started_at - first.started_at >= timedelta(hours=1)
