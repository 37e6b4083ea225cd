"""DATABASE_URL as an entry of Django's DATABASES."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ProgrammingError

#: Django's backend with a fair queue of writers across processes.
SQLITE_ENGINE = "runs.sqlite"
#: Django's backend with a pool that asks the server nothing before a request.
POSTGRES_ENGINE = "runs.postgresql"
#: One port, or one for each of several hosts.
_PORTS = re.compile(r"[0-9,]*")
FORMS = "sqlite:///path/to/file or postgres://user:password@host:5432/name"

#: Seconds; what was replaced under a running server is read after that.
SQLITE_KEPT = 60
#: A statement that is sent as often is prepared (psycopg's word for it); Trackside's triggers are.
PREPARE = 2
#: Notice a dead server within half a minute instead of the kernel's two hours.
_KEEPALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
#: A page that takes longer has lost its reader. Clusters run the author's own queries: no limits.
_WEB_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
#: The parameter that says how a pooler in between lends its connections; the second keeps nothing.
_POOL_MODE = re.compile(r"([?&])pool_mode=([^&#]*)(&?)")
MODES = ("session", "transaction")
#: Every statement here is short; compiling it costs more than running it.
_EVERYWHERE = {"jit": "off"}


def from_url(url: str, *, process: str = "") -> dict[str, Any]:
    """The DATABASES entry for a URL, tuned for the kind of process that asks."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return sqlite(_path(url))
    if scheme in {"postgres", "postgresql"}:
        return postgres(url, process)
    raise ImproperlyConfigured(f"DATABASE_URL must look like {FORMS}.")


def sqlite(path: Path) -> dict[str, Any]:
    """An SQLite file that many processes of one machine share.

    Opening it takes as long as half a page, so a thread that answers requests keeps it for a while.
    """
    return {"ENGINE": SQLITE_ENGINE, "NAME": str(path), "CONN_MAX_AGE": SQLITE_KEPT}


def postgres(url: str, process: str) -> dict[str, Any]:
    """A PostgreSQL server, read from the URL as libpq reads it; its parameters win over ours."""
    url, mode = _pool_mode(url)
    given = _conninfo(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    entry: dict[str, Any] = {key: given.pop(name, "") for key, name in names.items()}
    options = _KEEPALIVE | {"options": _session(process)} | given
    options["prepare_threshold"] = PREPARE
    entry |= {"ENGINE": POSTGRES_ENGINE, "PORT": options.pop("port", "")}
    entry |= {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0 if process == "web" else None}
    if process == "web":
        options["pool"] = {"min_size": 1, "max_size": 10, "timeout": 10}
    # Django's name for it, which everything here that needs a session asks for
    entry["DISABLE_SERVER_SIDE_CURSORS"] = mode == "transaction"
    if mode == "transaction":
        options["prepare_threshold"] = None
        if "options" not in given:  # of a session, and PgBouncer refuses a connection that asks
            del options["options"]
    return entry | {"OPTIONS": options}


def _path(url: str) -> Path:
    name = unquote(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or name in {"", ":memory:"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must name a file, such as sqlite:///var/trackside.sqlite3 "
            "or sqlite:////absolute/path.sqlite3: several processes share the database."
        )
    return Path(name).absolute()


def _pool_mode(url: str) -> tuple[str, str]:
    """The URL without our own parameter, and what that says."""
    found = _POOL_MODE.search(url)
    if found is None:
        return url, ""
    before, mode, after = found.groups()
    if mode not in MODES:
        raise ImproperlyConfigured(
            f"DATABASE_URL has a pool_mode other than {' and '.join(MODES)}."
        )
    rest = before if after else ""
    return url[: found.start()] + rest + url[found.end() :], mode


def _conninfo(url: str) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError as error:
        # libpq's message may quote the password.
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read; write {FORMS}.") from error
    if not _PORTS.fullmatch(str(given.get("port", ""))):
        raise ImproperlyConfigured(f"DATABASE_URL has a port that is no number; write {FORMS}.")
    if not given.get("dbname"):
        raise ImproperlyConfigured(f"DATABASE_URL names no database; write {FORMS}.")
    return dict(given)


def _session(process: str) -> str:
    settings = _EVERYWHERE | (_WEB_LIMITS if process == "web" else {})
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
