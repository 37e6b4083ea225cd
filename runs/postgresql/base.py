"""Django's PostgreSQL backend, whose pool looks at a connection where Django's asks the server.

CONN_HEALTH_CHECKS sends an empty statement for each request, which takes as long as a third of a
trigger. A server that went away has closed its end: the socket has something to read then, and only
then the server is asked. A network that swallows everything is noticed by both ways alike, when
TCP gives up.
"""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's; without a pool there is no difference."""

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        """Django's own, but for `check`."""
        options: Any = self.settings_dict["OPTIONS"].get("pool")
        pools: dict[str, ConnectionPool[Any]] = self._connection_pools  # type: ignore[attr-defined]
        if isinstance(options, dict) and self.alias not in pools:
            made: ConnectionPool[Any] = ConnectionPool(
                kwargs=self.get_connection_params() | {"autocommit": True},
                open=False,
                configure=self._configure_connection,  # type: ignore[attr-defined]
                check=check,
                **options,
            )
            pools.setdefault(self.alias, made)  # threads may come here together
        found: ConnectionPool[Any] | None = super().pool
        return found

    def _set_autocommit(self, autocommit: bool) -> None:
        """As Django's, where it is a change: psycopg looks around for a while even if it is none."""
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs leave it out


def check(connection: psycopg.Connection[Any]) -> None:
    """Raises psycopg.Error for a connection that is lost."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(connection)
