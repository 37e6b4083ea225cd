"""What must hold before anything starts. Each refusal is one sentence that says what to do."""

import errno
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from django.conf import settings
from django.core.management import call_command
from django.db import Error, NotSupportedError, connection, connections

from dashboard.launch.processes import django, python_path
from runs import migrated, pooling
from runs.errors import InvalidOption
from runs.lifecycle import apikeys

OLDEST_SQLITE = (3, 35)
OLDEST_POSTGRESQL = 14
#: Any constant will do; it serialises the migrations of instances that start together.
_MIGRATION_LOCK = 0x7261696C


class StartError(Exception):
    """Trackside cannot start; the message says why and what to do."""


def debugging(host: str) -> None:
    """Refuse to show everybody on the network what Django's debug pages show: settings and source."""
    if settings.DEBUG and not _is_this_machine(host):
        raise StartError(
            f"DEBUG is on, and {host} can be reached from other machines: set DEBUG = False, "
            "or listen on 127.0.0.1."
        )


def listen(host: str, port: int) -> socket.socket:
    """The socket the web server will accept on, already bound: nobody can take the port meanwhile."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartError(_port_problem(host, port, error)) from error
    bound.set_inheritable(True)
    return bound


def database() -> str:
    """Connect, and say in a few words to what; refuse one that a newer version has migrated."""
    try:
        connection.ensure_connection()
        refuse(migrated.newer())
        refuse(pooling.problem())
    except NotSupportedError as error:
        raise StartError(f"This database is too old: {_first_line(error)}") from error
    except Error as error:
        raise StartError(_database_problem(error)) from error
    return _sqlite() if connection.vendor == "sqlite" else _postgresql()


def migrate() -> None:
    """Bring the tables up to date; instances that start together take turns."""
    try:
        with _turn():
            call_command("migrate", interactive=False, verbosity=0)
        refuse(migrated.problem())
    except Error as error:
        raise StartError(f"The database could not be migrated: {_first_line(error)}") from error


def api_key() -> None:
    """Make the key in TRACKSIDE_API_KEY known."""
    try:
        apikeys.ensure_preset_key()
    except InvalidOption as error:
        raise StartError(f"TRACKSIDE_API_KEY cannot be used: {error}") from error


def refuse(problem: str) -> None:
    """Stop here if there is a problem."""
    if problem:
        raise StartError(problem)


def task_files() -> None:
    """Warn about task files that do not import; refuse duplicate ids."""
    # In a process of its own: the supervisor runs no user code. It has said why it fails.
    check = subprocess.run(django("tasks", "--check"), env=os.environ | python_path(), check=False)
    if check.returncode:
        raise SystemExit(check.returncode)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port_problem(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"HOST must be an address of this machine, but “{host}” is not."
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. "
            f"Stop that one, or choose another port, such as PORT={port % 65535 + 1}."
        )
    return f"Cannot listen on port {port} of {host}: {error.strerror}. Choose another PORT."


def _database_problem(error: Error) -> str:
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]
        return f"Cannot open the database file {name}: {_first_line(error)}."
    found = _first_line(error)
    asked = pooling.hint(found) or " Is it running, and DATABASE_URL right?"
    return f"Cannot reach the database: {found}.{asked}"


def _first_line(error: Exception) -> str:
    # psycopg repeats the connection's whole story, over several lines.
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"\s+", " ", line).rstrip(".")


def _sqlite() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()")
        version: str = cursor.fetchone()[0]
    if tuple(map(int, version.split(".")[:2])) < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StartError(f"SQLite {version} is too old: Trackside needs {needed} or newer.")
    return f"SQLite {version}, {connection.settings_dict['NAME']}"


def _postgresql() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version: str = cursor.fetchone()[0].partition(" ")[0]
    if int(version.partition(".")[0]) < OLDEST_POSTGRESQL:
        raise StartError(
            f"PostgreSQL {version} is too old: Trackside needs {OLDEST_POSTGRESQL} or newer."
        )
    settings = connection.settings_dict
    return f"PostgreSQL {version}, {settings['NAME']} at {settings['HOST'] or 'this machine'}"


@contextmanager
def _turn() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    # of a transaction beside: what a session holds is anybody's behind a pooler of transactions
    beside = connections.create_connection("default")
    beside.set_autocommit(False)
    try:
        with beside.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        yield
        beside.rollback()
    finally:
        beside.close()
