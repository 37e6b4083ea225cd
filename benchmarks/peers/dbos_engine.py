"""What both DBOS scripts do alike: launch it on one queue, and let it work until told to stop."""

import os
import signal
import threading

from dbos import DBOS

QUEUE = "bench"
VERSION = "bench"
DATABASE = os.environ["BENCH_DATABASE"].replace("postgres://", "postgresql://", 1)
POLL = float(os.environ.get("BENCH_POLL", "0.02"))


def launch(usual: int) -> None:
    """With `usual` workflows at once in each process, unless BENCH_CONCURRENCY says otherwise."""
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
        worker_concurrency=int(os.environ.get("BENCH_CONCURRENCY", usual)),
        polling_interval_sec=POLL,
        on_conflict="always_update",
    )


def setup(usual: int) -> None:
    launch(usual)
    DBOS.destroy()


def work(usual: int) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    launch(usual)
    stop.wait()
    os._exit(0)
