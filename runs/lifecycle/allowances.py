"""How many requests a caller has made in a time, over all web processes: taken in lots, not one by one."""

from functools import lru_cache

from django.db import connection, transaction

from runs import conf
from runs.errors import InvalidOption
from runs.models import RequestWindow
from runs.rates import RateLimit, as_rate

NAME, OFF = "API_RATE_LIMIT", "off"
#: How callers that are no API keys begin: those who log in.
LOGIN = "login:"

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


def limit() -> RateLimit | None:
    """What the setting says; None for no limit. Raises InvalidOption."""
    return _limit(str(conf.get(NAME)))


@lru_cache(8)
def _limit(value: str) -> RateLimit | None:
    try:
        return None if value == OFF else as_rate(value, NAME)
    except InvalidOption:
        raise InvalidOption(
            NAME,
            f'TRACKSIDE["{NAME}"], or TRACKSIDE_{NAME}, is “{OFF}” or like “1500/10s” (at most 100,000 '
            f"in whole seconds); got {value!r:.60}.",
        ) from None


def take(caller: str, window: int, count: int) -> int:
    """Count so many requests of a caller in a window; how many the others had taken in it before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE, [caller, window, count])
        (used,) = cursor.fetchone()
    return int(used) - count


def forget(prefix: str, window: int) -> None:
    """Take rows of callers away whose newest window is over, and was not the one before."""
    old = RequestWindow.objects.filter(caller__startswith=prefix, number__lt=window - 1)
    old.delete()
