"""Telling clusters that there is something to do, after commit and off the write path.

A lost hint costs at most one poll interval, so nothing here may fail a trigger. PostgreSQL carries
hints by NOTIFY from a thread with a connection of its own (a NOTIFY inside the writing transaction
would make all commits of the server take turns). On SQLite every cluster binds a datagram socket
beside the database file.
"""

import logging
import os
import queue
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from runs import conf
from runs.pooling import is_pooled

log = logging.getLogger("trackside")

CHANNEL = "trackside"
READY = "ready"
CANCEL = "cancel:"
VARIABLES = "variables"
#: Seconds within which hints are merged into one.
QUIET = 0.025
#: Seconds a link may take to answer before another is opened.
PATIENCE = 5.0
#: Of a connection for notifications: a peer that is gone is noticed as soon by the kernel too.
NOTICE: dict[str, Any] = {
    # nothing here is worth it, and behind a pooler of transactions it would be elsewhere
    "prepare_threshold": None,
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def on_runs_ready(**_: Any) -> None:
    """Receiver of `runs.signals.runs_ready`."""
    hint(READY)


def on_cancel_requested(run_id: str, **_: Any) -> None:
    """Receiver of `runs.signals.cancel_requested`."""
    hint(f"{CANCEL}{run_id}")


def on_variables_changed(**_: Any) -> None:
    """Receiver of `runs.signals.variables_changed`."""
    hint(VARIABLES)


def hint(message: str) -> None:
    """Pass a message to every cluster of this database, soon."""
    if connection.vendor == "postgresql":
        notifier().tell(message)
    else:
        datagram(message)


class Notifier:
    """The thread that NOTIFYs: the first hint at once, those of the next moments together."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.connection: psycopg.Connection[Any] | None = None
        threading.Thread(target=self.run, name="trackside-notify", daemon=True).start()

    def tell(self, message: str) -> None:
        self.waiting.put(message)

    def run(self) -> None:
        while True:
            # each once, in order: what comes with new variables is claimed after them
            messages = {self.waiting.get(): None}
            while not self.waiting.empty():
                messages[self.waiting.get()] = None
            try:
                self.notify(messages)
            except psycopg.Error as error:
                log.warning("Could not notify the clusters, they will poll: %s", error)
                self.hang_up()
            time.sleep(QUIET)

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def notify(self, messages: Iterable[str]) -> None:
        if self.connection is None or self.connection.closed:
            self.connection = connect()
        for message in messages:
            self.connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, message))


_notifier: Notifier | None = None
_starting = threading.Lock()


def notifier() -> Notifier:
    """This process's notifier; a fork has no threads, so it starts its own."""
    global _notifier
    with _starting:
        if _notifier is None or _notifier.pid != os.getpid():
            _notifier = Notifier()
        return _notifier


def connect(address: str = "") -> psycopg.Connection[Any]:
    """A plain autocommit connection to Django's default database, outside any pool.

    Or to `address`, a URL of the same database.
    """
    if address:
        return psycopg.connect(address, autocommit=True, **NOTICE)
    params = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port", "options", "service", "sslmode")
    kept = {name: params[name] for name in names if params.get(name)}
    return psycopg.connect(**kept, autocommit=True, **NOTICE)


def can_listen() -> bool:
    """Whether there is a connection that stays: not behind a pooler of transactions."""
    return bool(conf.get("LISTEN_URL")) or not is_pooled(connection)


def ears() -> str:
    """The private directory in which clusters of this SQLite database listen, one socket each.

    One for each database: every trigger looks through it, and killed clusters leave theirs behind.
    """
    return _ears(str(connection.settings_dict["NAME"]))


@lru_cache(16)
def _ears(database: str) -> str:
    name = sha256(str(Path(database).resolve()).encode()).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/trackside-{os.getuid()}/{name}"


def datagram(message: str) -> None:
    """Send to every listening socket; one nobody reads any more is removed."""
    directory = ears()
    with suppress(FileNotFoundError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for name in os.listdir(directory):
            path = f"{directory}/{name}"
            try:
                sender.sendto(message.encode(), socket.MSG_DONTWAIT, path)
            except ConnectionRefusedError:
                with suppress(OSError):
                    os.unlink(path)
            except OSError:
                continue


class Listener:
    """A cluster's ear: `fileno()` for select, `messages()` for what came."""

    def __init__(self) -> None:
        self.connection: psycopg.Connection[Any] | None = None
        self.socket: socket.socket | None = None
        if connection.vendor != "postgresql":
            self.socket = bound_socket()
        elif can_listen():
            self.connection = connect(conf.get("LISTEN_URL"))
            self.connection.execute(f"LISTEN {CHANNEL}")
        else:
            self.socket = deaf_socket()

    def fileno(self) -> int:
        source = self.connection or self.socket
        assert source is not None  # one of the two was opened
        return source.fileno()

    def messages(self) -> list[str]:
        """What came since the last call. Raises psycopg.Error when the link broke."""
        if self.connection is not None:
            return self.notices(self.connection)
        received: list[str] = []
        with suppress(BlockingIOError):
            while self.socket is not None:
                received.append(self.socket.recv(512).decode(errors="replace"))
        return received

    @staticmethod
    def notices(link: psycopg.Connection[Any]) -> list[str]:
        """Read what the socket has. `Connection.notifies` with no time to wait may miss it."""
        link.pgconn.consume_input()
        received: list[str] = []
        while notice := link.pgconn.notifies():
            received.append(notice.extra.decode())
        return received

    def is_alive(self) -> bool:
        """Ask the link itself; a black-holed one raises nothing on its own."""
        if self.connection is None:
            return True
        answered(self.connection, PATIENCE)
        return True

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if self.socket is not None:
            with suppress(OSError):
                os.unlink(self.socket.getsockname())
            self.socket.close()


def answered(link: psycopg.Connection[Any], seconds: float) -> None:
    """Ask something small. Raises psycopg.OperationalError without an answer in time.

    A proxy in between may acknowledge every byte of a link that leads nowhere: no time-out of the
    kernel ends the wait for it.
    """
    link.pgconn.send_query(b"SELECT 1")
    link.pgconn.flush()
    until = time.monotonic() + seconds
    while link.pgconn.is_busy():
        left = until - time.monotonic()
        if left <= 0 or not select.select([link], [], [], left)[0]:
            raise psycopg.OperationalError("The connection for notifications does not answer.")
        link.pgconn.consume_input()
    while link.pgconn.get_result():
        pass


def deaf_socket() -> socket.socket:
    """Where nothing arrives: whoever has no better ear polls."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.setblocking(False)
    return ear


def bound_socket() -> socket.socket:
    """A datagram socket only this user can reach."""
    directory = Path(ears())
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / str(os.getpid())
    path.unlink(missing_ok=True)
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(path))
    ear.setblocking(False)
    return ear
