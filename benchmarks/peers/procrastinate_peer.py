"""procrastinate: no-op tasks, PsycopgConnector and the async worker as its documentation shows.

Settings tried here on two cores with 10,000 jobs; the fastest is used:
- an async task, so that the job runs on the worker's own event loop instead of in a thread;
- concurrency lets a worker have several jobs in flight, its pool has as many connections;
- finished jobs are kept (the default), LISTEN is on (the default), logging below WARNING is off.
"""

import asyncio
import logging
import os
import sys

import procrastinate

CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "10"))
connector = procrastinate.PsycopgConnector(
    conninfo=os.environ["BENCH_DATABASE"], min_size=1, max_size=CONCURRENCY + 2
)
app = procrastinate.App(connector=connector)


@app.task(name="noop")
async def noop() -> None:
    pass


async def setup() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def preload(count: int) -> None:
    async with app.open_async():
        for begin in range(0, count, 1000):
            await noop.batch_defer_async(*({} for _ in range(min(1000, count - begin))))


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    command = {"setup": setup, "preload": preload, "work": work}[sys.argv[1]]
    asyncio.run(command(*map(int, sys.argv[2:])))
