"""Stock django-q2: the ORM broker on PostgreSQL, one cluster with two workers.

Its good settings, found by measuring:
- CONN_MAX_AGE None keeps connections (with Django's default each task reconnects three times);
- save_limit -1 writes no result row for a success (every saved result costs two queries and more);
- log level WARNING, no schedule polling, poll 0.05 (it only matters when the queue is empty);
- bulk and queue_limit are stock (1 and workers²) unless BENCH_BULK and BENCH_QUEUE_LIMIT say otherwise.
  Prefetching is faster, and gives up exact limits, priorities and cancelling;
- jobs are preloaded inside one transaction; async_task has no bulk form.
"""

import os
import signal
import sys

import django
from django.conf import settings
from django.core.management import call_command
from psycopg.conninfo import conninfo_to_dict

database = conninfo_to_dict(os.environ["BENCH_DATABASE"])
cluster = {
    "name": "bench",
    "orm": "default",
    "workers": 2,
    "save_limit": -1,
    "log_level": "WARNING",
    "poll": 0.05,
    "scheduler": False,
    "timeout": 60,
    "retry": 600,
    "bulk": int(os.environ.get("BENCH_BULK", "1")),
}
if "BENCH_QUEUE_LIMIT" in os.environ:
    cluster["queue_limit"] = int(os.environ["BENCH_QUEUE_LIMIT"])
settings.configure(
    SECRET_KEY="bench",
    USE_TZ=True,
    INSTALLED_APPS=["django_q"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database["dbname"],
            "USER": database["user"],
            "HOST": database["host"],
            "PORT": database["port"],
            "CONN_MAX_AGE": None,
        }
    },
    Q_CLUSTER=cluster,
)
django.setup()

from django.db import transaction  # noqa: E402
from django_q.cluster import Cluster  # noqa: E402
from django_q.tasks import async_task  # noqa: E402


def setup() -> None:
    call_command("migrate", verbosity=0)


def preload(count: int) -> None:
    with transaction.atomic():
        for _ in range(count):
            # a builtin that does nothing, so that no module of ours is needed
            async_task("builtins.bool")


def work() -> None:
    running = Cluster()
    running.start()
    signal.pause()


if __name__ == "__main__":
    {"setup": setup, "preload": preload, "work": work}[sys.argv[1]](*map(int, sys.argv[2:]))
