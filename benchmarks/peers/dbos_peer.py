"""DBOS Transact: no-op workflows from one queue, system database on PostgreSQL.

Settings tried here on two cores with 10,000 jobs; the fastest is used:
- worker_concurrency bounds what one poll claims. Without it the first worker to poll takes the whole
  backlog and the other stands idle; too low, and workers wait for the next poll.
- polling_interval_sec is the only thing that brings new work, so it is far below its default of 1 s.
- the connection pool is the default of 20; logging below WARNING is off.
- jobs are preloaded inside one transaction through the client, its way to enqueue in bulk.
"""

import os
import signal
import sys
import threading

import sqlalchemy
from dbos import DBOS, DBOSClient

QUEUE = "bench"
VERSION = "bench"
DATABASE = os.environ["BENCH_DATABASE"].replace("postgres://", "postgresql://", 1)
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "100"))
POLL = float(os.environ.get("BENCH_POLL", "0.02"))


@DBOS.workflow(name="noop")
def noop() -> None:
    pass


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


def preload(count: int) -> None:
    client = DBOSClient(system_database_url=DATABASE, application_name="bench")
    engine = sqlalchemy.create_engine(DATABASE.replace("postgresql://", "postgresql+psycopg://", 1))
    options = {"workflow_name": "noop", "queue_name": QUEUE, "app_version": VERSION}
    with engine.begin() as connection:
        for _ in range(count):
            client.enqueue_in_transaction(connection, options)
    client.destroy()


def work() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    launch()
    stop.wait()
    os._exit(0)


if __name__ == "__main__":
    {"setup": setup, "preload": preload, "work": work}[sys.argv[1]](*map(int, sys.argv[2:]))
