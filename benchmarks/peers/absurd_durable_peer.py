"""absurd: durable tasks of one queue, its SDK's own worker loop.

Settings tried here on two cores; the fastest is used:
- the plain client: a worker has one connection, which threads (`concurrency`) only take turns at;
- batch_size bounds what one claim takes; 10 and 30 made no difference, 1 is a claim for each task;
- poll_interval is the only thing that brings new work, so it is far below its default of 0.25 s;
- a child is spawned in a step and answers by an event, which its parent awaits. `await_task_result`
  looks every 50 ms and later, and holds its thread meanwhile;
- several workers in one process (BENCH_LOOPS) share the waits for the disk; this is measured beside it.
"""

import json
import os
import sys
import threading
from typing import Any

import psycopg
from absurd_sdk import Absurd, TaskContext
from absurdctl import BUNDLED_SCHEMA_SQL

QUEUE = "bench"
DATABASE = os.environ["BENCH_DATABASE"].replace("postgres://", "postgresql://", 1)
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "1"))
BATCH = int(os.environ.get("BENCH_BATCH", "10"))
POLL = float(os.environ.get("BENCH_POLL", "0.005"))
LOOPS = int(os.environ.get("BENCH_LOOPS", "1"))


def nothing() -> None:
    pass


def worker() -> Absurd:
    """A client that knows the tasks, with a connection of its own."""
    app = Absurd(DATABASE, queue_name=QUEUE)

    @app.register_task("steps")
    def steps(params: Any, ctx: TaskContext) -> None:
        for _ in range(params["each"]):
            ctx.step("step", nothing)

    @app.register_task("waits")
    def waits(params: Any, ctx: TaskContext) -> None:
        ctx.sleep_until("wait", params["until"])

    with_children(app)
    return app


def with_children(app: Absurd) -> None:
    @app.register_task("children")
    def children(params: Any, ctx: TaskContext) -> None:
        for number in range(params["each"]):
            key = f"{ctx.task_id}-{number}"
            ctx.step("spawn", lambda key=key: spawned(app.spawn("child", {"answer": key})))
            ctx.await_event(key)

    @app.register_task("child")
    def child(params: Any, ctx: TaskContext) -> None:
        ctx.emit_event(params["answer"], None)


def spawned(made: Any) -> str:
    return str(made["task_id"])


def setup() -> None:
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        connection.execute(BUNDLED_SCHEMA_SQL)
        app = Absurd(connection, queue_name=QUEUE)
        app.create_queue(QUEUE)


def load(arguments: str) -> None:
    wanted = json.loads(arguments)
    name = wanted["measure"]
    with psycopg.connect(DATABASE) as connection:
        app = Absurd(connection, queue_name=QUEUE)
        app.register_task(name)(lambda params, ctx: None)
        for _ in range(wanted["runs"]):
            app.spawn(name, wanted)


def work() -> None:
    loops = [threading.Thread(target=run, daemon=True) for _ in range(LOOPS)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


def run() -> None:
    worker().start_worker(concurrency=CONCURRENCY, batch_size=BATCH, poll_interval=POLL)


if __name__ == "__main__":
    {"setup": setup, "load": load, "work": work}[sys.argv[1]](*sys.argv[2:])
