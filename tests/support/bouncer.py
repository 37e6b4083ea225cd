"""PgBouncer in transaction mode in front of a PostgreSQL server, with few connections to lend."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.postgres import free_port
from tests.support.waiting import eventually

SETTINGS = """
[databases]
* = host={host} port={port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 300
logfile = {log}
"""


@contextmanager
def bouncer(url: str, size: int = 3) -> Iterator[str]:
    """The same database as at `url`, through a pooler; skips where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no pgbouncer; on Debian: apt-get install pgbouncer")
    directory, own = Path(tempfile.mkdtemp(prefix="trackside-bouncer-")), free_port()
    parts = urlsplit(url)
    settings = directory / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            host=parts.hostname, port=parts.port, own=own, size=size, log=directory / "log"
        )
    )
    process = subprocess.Popen(
        [program, str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **owner(directory),
    )
    pooled = f"postgres://postgres@127.0.0.1:{own}{parts.path}?pool_mode=transaction"
    try:
        eventually(lambda: answers(pooled.partition("?")[0]))
        yield pooled
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(directory)


def owner(directory: Path) -> dict[str, Any]:
    """It refuses to run as root, as PostgreSQL does."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    os.chown(directory, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
