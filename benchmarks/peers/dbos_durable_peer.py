"""DBOS Transact: durable workflows from one queue, system database on PostgreSQL.

Settings tried here on two cores; the fastest is used for each measure:
- plain functions on its threads; `async def` ones (BENCH_VARIANT=_async) were a fifth slower;
- a child is called, which executes it on its parent's thread. `start_workflow(child).get_result()`
  (BENCH_VARIANT=_started) was no faster, and a child that goes through a queue waits for a poll;
- worker_concurrency is how many workflows a process executes at once: 10 for steps; for children 2,
  which was a quarter faster than 10 or 30; for waits as many as there are, because a workflow that
  sleeps stays in its process;
- polling_interval_sec is far below its default of 1 s.
"""

import json
import os
import signal
import sys
import threading
import time

import sqlalchemy
from dbos import DBOS, DBOSClient

QUEUE = "bench"
VERSION = "bench"
DATABASE = os.environ["BENCH_DATABASE"].replace("postgres://", "postgresql://", 1)
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "10"))
POLL = float(os.environ.get("BENCH_POLL", "0.02"))
VARIANT = os.environ.get("BENCH_VARIANT", "")


@DBOS.step(name="step")
def step() -> None:
    pass


@DBOS.step(name="step_async")
async def step_async() -> None:
    pass


@DBOS.workflow(name="child")
def child() -> None:
    pass


@DBOS.workflow(name="child_async")
async def child_async() -> None:
    pass


@DBOS.workflow(name="steps")
def steps(each: int, until: float) -> None:
    for _ in range(each):
        step()


@DBOS.workflow(name="steps_async")
async def steps_in_loop(each: int, until: float) -> None:
    for _ in range(each):
        await step_async()


@DBOS.workflow(name="waits")
def waits(each: int, until: float) -> None:
    DBOS.sleep(until - time.time())


@DBOS.workflow(name="waits_async")
async def waits_in_loop(each: int, until: float) -> None:
    await DBOS.sleep_async(until - time.time())


@DBOS.workflow(name="children")
def children(each: int, until: float) -> None:
    for _ in range(each):
        child()


@DBOS.workflow(name="children_started")
def children_started(each: int, until: float) -> None:
    for _ in range(each):
        DBOS.start_workflow(child).get_result()


@DBOS.workflow(name="children_async")
async def children_in_loop(each: int, until: float) -> None:
    for _ in range(each):
        await child_async()


def launch() -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": DATABASE,
            "application_version": VERSION,
            "executor_id": f"worker-{os.getpid()}",
            "log_level": "WARNING",
        }
    )
    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=CONCURRENCY,
        polling_interval_sec=POLL,
        on_conflict="always_update",
    )


def setup() -> None:
    launch()
    DBOS.destroy()


def load(arguments: str) -> None:
    wanted = json.loads(arguments)
    client = DBOSClient(system_database_url=DATABASE, application_name="bench")
    engine = sqlalchemy.create_engine(DATABASE.replace("postgresql://", "postgresql+psycopg://", 1))
    options = {
        "workflow_name": wanted["measure"] + VARIANT,
        "queue_name": QUEUE,
        "app_version": VERSION,
    }
    with engine.begin() as connection:
        for _ in range(wanted["runs"]):
            client.enqueue_in_transaction(connection, options, wanted["each"], wanted["until"])
    client.destroy()


def work() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    launch()
    stop.wait()
    os._exit(0)


if __name__ == "__main__":
    {"setup": setup, "load": load, "work": work}[sys.argv[1]](*sys.argv[2:])
