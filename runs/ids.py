"""Time-sortable ids: `<prefix>_` and 26 lowercase letters and digits.

The body is a ULID (48 bits of milliseconds, 80 random bits) in Crockford's base 32. Own code, twenty
lines, instead of a package: ids made in one process must also sort by creation inside one
millisecond (lists page by id), and the packages at hand do not promise that.
"""

import os
import threading
import time
from collections.abc import Iterator
from itertools import islice

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
RANDOM_BITS = 80
LENGTH = 26
#: Milliseconds the clock may step back without ids losing their order.
TOLERANCE = 1000


def new_id(prefix: str) -> str:
    """One new id, greater than every id this process made before in the same millisecond."""
    return next(new_ids(prefix))


def new_ids(prefix: str, count: int | None = None) -> Iterator[str]:
    """`count` new ids in rising order (endless without a count)."""
    return islice((f"{prefix}_{encode(next_value())}" for _ in iter(int, 1)), count)


def encode(value: int) -> str:
    """128 bits as 26 base-32 characters, most significant first."""
    return "".join(PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10))


def next_value() -> int:
    """Time and randomness; inside one millisecond the previous value plus a random step.

    A clock set back by more than `TOLERANCE` starts over: ids from the future would stay on top.
    """
    global _last
    now = time.time_ns() // 1_000_000
    fresh = now << RANDOM_BITS | int.from_bytes(os.urandom(10))
    with _lock:
        step = _last + 1 + int.from_bytes(os.urandom(4))
        _last = step if 0 <= (_last >> RANDOM_BITS) - now <= TOLERANCE else fresh
        return _last


_lock = threading.Lock()
_last = 0
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
