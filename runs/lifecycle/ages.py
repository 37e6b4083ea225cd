"""How long runs are kept after their end, for each status (DEC-50)."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from runs import conf
from runs.errors import InvalidOption
from runs.states import FINAL

#: A hundred years.
MOST_DAYS = 36_525.0
#: Before which moment runs that ended as that are old; a status that is kept for ever is not in it.
Ends = Mapping[str, datetime]


def days(days_of: Mapping[str, Any] | None = None, others: float | None = None) -> dict[str, float]:
    """Days by status: what is given, else the settings; 0 is for ever. Raises InvalidOption."""
    given = conf.get("STATUS_RETENTION_DAYS") if days_of is None else days_of
    rest = float(conf.get("RUN_RETENTION_DAYS")) if others is None else others
    named = {str(status).upper(): value for status, value in given.items()}
    if wrong := sorted(named.keys() - FINAL):
        known = ", ".join(sorted(FINAL))
        raise InvalidOption(
            "STATUS_RETENTION_DAYS", f"Runs end as {known}; got {wrong[0]:.40} among the statuses."
        )
    found = {str(status): named.get(status, rest) for status in sorted(FINAL)}
    for status, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidOption("STATUS_RETENTION_DAYS", f"{status} has days; got {value!r:.40}.")
        if not 0 <= value <= MOST_DAYS:
            raise InvalidOption(
                "STATUS_RETENTION_DAYS",
                f"{status} has 0 to {MOST_DAYS:,.0f} days; got {value!r:.40}.",
            )
    return {status: float(value) for status, value in found.items()}


def ends(kept: Mapping[str, float], now: datetime) -> dict[str, datetime]:
    """The moments before which runs go."""
    return {status: now - timedelta(days=count) for status, count in kept.items() if count > 0}


def are_old(before: Ends) -> Q:
    """Which runs ended before the moment of their status."""
    together: defaultdict[datetime, list[str]] = defaultdict(list)
    for status, moment in before.items():
        together[moment].append(status)
    found = Q(pk__in=())
    for moment, statuses in together.items():
        found |= Q(status__in=statuses, finished_at__lt=moment)
    return found
