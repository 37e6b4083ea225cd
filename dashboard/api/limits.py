"""How many requests a key, and its public tokens together, may make in a time (API_RATE_LIMIT).

Windows of a fixed length that begin at the same moment in every process. A process counts by itself and
takes a part of the limit from the database in lots of a twentieth, so that a caller costs some twenty writes
in a window however fast it is. The first hundredth of each process is not asked for: a slow caller costs
none. So a caller may have that much more in each web process than the limit says, and is refused up to a
lot for each other process earlier; over the end of a window it may have twice the limit, as with all
windows. Limits below 40 are exact, at a write for each request.

No package: django-ratelimit writes to the cache at every request, and a cache that several processes share
is the database here; `limits` and pyrate-limiter count in one process, or in Redis, or write each time too.
"""

import math
import threading
import time
from dataclasses import dataclass, field

from dashboard.api.auth import Caller
from dashboard.api.errors import ApiError
from runs.lifecycle import allowances
from runs.rates import RateLimit

#: Parts of the limit that are taken together, and that nobody is asked for.
LOTS, FREE = 20, 100
#: Callers that are counted; beyond, those of earlier windows are forgotten.
MOST_KNOWN = 1000


@dataclass(slots=True)
class Count:
    """Of one caller in one window, in this process."""

    window: int
    #: How many it may make without asking.
    granted: int
    used: int = 0
    #: What the database counts for this process, and for the others, as far as we know.
    told: int = 0
    others: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, caller: str, limit: int) -> bool:
        """Whether one more is within the limit."""
        if self.used >= self.granted and self.others + self.used < limit:
            self._ask(caller, limit)
        if self.used >= self.granted:
            return False
        self.used += 1
        return True

    def _ask(self, caller: str, limit: int) -> None:
        """For another lot, and for what was used without asking."""
        wanted = self.used + max(1, limit // LOTS)
        self.others = max(0, allowances.take(caller, self.window, wanted - self.told) - self.told)
        self.told, self.granted = wanted, min(wanted, limit - self.others)


_counts: dict[str, Count] = {}
_lock = threading.Lock()


def take(caller: Caller) -> dict[str, str]:
    """Count a request of the caller; the headers that tell it how it stands. Raises a 429."""
    rate = allowances.limit()
    if rate is None:
        return {}
    name = f"{'public' if caller.is_public else 'key'}:{caller.key.pk}"
    window = int(time.time() // rate.period)
    with _lock:
        count = _count(name, window, rate)
    with count.lock:
        taken = count.take(name, rate.limit)
        left = max(0, rate.limit - count.others - count.used)
    end = (window + 1) * rate.period
    headers = {
        "x-ratelimit-limit": str(rate.limit),
        "x-ratelimit-remaining": str(left if taken else 0),
        "x-ratelimit-reset": str(int(end * 1000)),
    }
    if not taken:
        raise _refused(rate, headers, max(1, math.ceil(end - time.time())))
    return headers


def forget() -> None:
    """Count anew; for tests, whose keys have the numbers of earlier ones."""
    _counts.clear()


def _count(name: str, window: int, rate: RateLimit) -> Count:
    count = _counts.get(name)
    if count is None or count.window != window:
        if len(_counts) >= MOST_KNOWN:
            _forget(window)
        count = _counts[name] = Count(window, granted=rate.limit // FREE)
    return count


def _forget(window: int) -> None:
    for name in [name for name, count in _counts.items() if count.window != window]:
        del _counts[name]


def _refused(rate: RateLimit, headers: dict[str, str], seconds: int) -> ApiError:
    message = f"More requests than {rate.sentence}. Try again in {seconds} s."
    return ApiError(
        429,
        message,
        headers={
            **headers,
            "content-type": "application/problem+json",
            "retry-after": str(seconds),
        },
        beside={"title": "Rate limit exceeded", "detail": message},
    )
