"""absurd: durable tasks of one queue, its SDK's own worker loop.

Settings tried here on two cores; the fastest is used for each measure:
TRIED
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
VARIANT = os.environ.get("BENCH_VARIANT", "")
#: `await_task_result` refuses a child of its own queue.
OTHER = "bench_children"


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

    @app.register_task("children_polled")
    def children_polled(params: Any, ctx: TaskContext) -> None:
        for _ in range(params["each"]):
            made = ctx.step("spawn", lambda: spawned(app.spawn("polled", {}, queue=OTHER)))
            ctx.await_task_result(made, queue_name=OTHER)

    @app.register_task("child")
    def child(params: Any, ctx: TaskContext) -> None:
        ctx.emit_event(params["answer"], None)


def spawned(made: Any) -> str:
    return str(made["task_id"])


def children_worker() -> Absurd:
    app = Absurd(DATABASE, queue_name=OTHER)
    app.register_task("polled")(lambda params, ctx: None)
    return app


def setup() -> None:
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        connection.execute(BUNDLED_SCHEMA_SQL)
        app = Absurd(connection, queue_name=QUEUE)
        app.create_queue(QUEUE)
        app.create_queue(OTHER)


def load(arguments: str) -> None:
    wanted = json.loads(arguments)
    name = wanted["measure"] + VARIANT
    with psycopg.connect(DATABASE) as connection:
        app = Absurd(connection, queue_name=QUEUE)
        app.register_task(name)(lambda params, ctx: None)
        for _ in range(wanted["runs"]):
            app.spawn(name, wanted)


def work() -> None:
    made = [worker() for _ in range(LOOPS)]
    if VARIANT == "_polled":
        made += [children_worker() for _ in range(LOOPS)]
    loops = [threading.Thread(target=run, args=[one], daemon=True) for one in made]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


def run(app: Absurd) -> None:
    app.start_worker(concurrency=CONCURRENCY, batch_size=BATCH, poll_interval=POLL)


if __name__ == "__main__":
    {"setup": setup, "load": load, "work": work}[sys.argv[1]](*sys.argv[2:])
