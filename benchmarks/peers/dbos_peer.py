"""DBOS Transact: no-op workflows from one queue, system database on PostgreSQL.

Settings tried here on two cores with 10,000 jobs; the fastest is used:
- worker_concurrency bounds what one poll claims. Without it the first worker to poll takes the whole
  backlog and the other stands idle; too low, and workers wait for the next poll.
- polling_interval_sec is the only thing that brings new work, so it is far below its default of 1 s.
- the connection pool is the default of 20; logging below WARNING is off.
- jobs are preloaded inside one transaction through the client, its way to enqueue in bulk.
"""

import sys
from functools import partial

import sqlalchemy
from dbos import DBOS, DBOSClient
from dbos_engine import DATABASE, QUEUE, VERSION, setup, work

#: Workflows a process executes at once.
USUAL = 100


@DBOS.workflow(name="noop")
def noop() -> None:
    pass


def preload(count: int) -> None:
    client = DBOSClient(system_database_url=DATABASE, application_name="bench")
    engine = sqlalchemy.create_engine(DATABASE.replace("postgresql://", "postgresql+psycopg://", 1))
    options = {"workflow_name": "noop", "queue_name": QUEUE, "app_version": VERSION}
    with engine.begin() as connection:
        for _ in range(count):
            client.enqueue_in_transaction(connection, options)
    client.destroy()


if __name__ == "__main__":
    {"setup": partial(setup, USUAL), "preload": preload, "work": partial(work, USUAL)}[sys.argv[1]](
        *map(int, sys.argv[2:])
    )
