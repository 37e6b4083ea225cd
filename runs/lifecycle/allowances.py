"""How many requests a caller has made in a time, over all web processes: taken in lots, not one by one."""

from django.db import connection, transaction

#: A clock that is ahead by one window is believed, one that is further ahead is not: its count goes.
TAKE = """
INSERT INTO runs_requestwindow (caller, number, used) VALUES (%s, %s, %s)
ON CONFLICT (caller) DO UPDATE SET
  used = EXCLUDED.used + CASE WHEN runs_requestwindow.number - EXCLUDED.number IN (0, 1)
                              THEN runs_requestwindow.used ELSE 0 END,
  number = CASE WHEN runs_requestwindow.number - EXCLUDED.number = 1
                THEN runs_requestwindow.number ELSE EXCLUDED.number END
RETURNING used
"""


def take(caller: str, window: int, count: int) -> int:
    """Count so many requests of a caller in a window; how many the others had taken in it before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE, [caller, window, count])
        (used,) = cursor.fetchone()
    return int(used) - count
