"""SQLite: rows in and out, and new runs. Writers are serial here, so a count is exact as it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from runs.lifecycle.store import statements as sql
from runs.lifecycle.store.base import Bucket, Rows, Store


class SqliteTables(Store):
    """Over any connection of the `runs.sqlite` (or Django's own) backend."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The caller's transaction if there is one, else one of its own."""
        connection = self.connection
        if connection.in_atomic_block or not connection.get_autocommit():
            yield
            return
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        try:
            yield
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.set_autocommit(True)

    def at_once(self) -> AbstractContextManager[None]:
        return self.transaction()

    def rows(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    # -- trigger ----------------------------------------------------------------------------------

    def insert(
        self,
        common: dict[str, Any],
        runs: Sequence[dict[str, Any]],
        buckets: Sequence[Bucket],
        tags: Sequence[dict[str, Any]],
    ) -> None:
        rows = [common | own for own in runs]
        with self.transaction():
            self.insert_many("runs_run", rows)
            self.many(sql.EVENT, plainly(map(sql.triggered, rows)))
            self.insert_many("runs_runtag", tags)
            ids = {(one.queue, one.concurrency_key): self.bucket(one) for one in buckets}
            self.many(sql.READY, plainly(sql.ready(row, ids) for row in rows if sql.is_due(row)))

    def insert_many(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        names = ", ".join(f'"{name}"' for name in rows[0])
        places = ", ".join(["%s"] * len(rows[0]))
        self.many(
            f"INSERT INTO {table} ({names}) VALUES ({places})",
            plainly([row[name] for name in rows[0]] for row in rows),
        )

    def many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The same statement for each of the rows, of values as the driver takes them."""
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def bucket(self, wanted: Bucket) -> int:
        """The id of a bucket, made where missing."""
        self.rows(sql.BUCKET, (wanted.queue_id, wanted.concurrency_key, wanted.key_hash))
        return int(self.rows(sql.FIND_BUCKET, wanted.place)[0][0])


def plainly(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(map(sql.plain, row)) for row in rows]
