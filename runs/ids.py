"""Time-sortable ids: `<prefix>_` and 26 lowercase letters and digits.

The body is a ULID (48 bits of milliseconds, 80 random bits) in Crockford's base 32. Own code, twenty
lines, instead of a package: ids made in one process must also sort by creation inside one
millisecond (lists page by id), and the packages at hand do not promise that.
"""

import os
import threading
import time
from array import array
from functools import lru_cache
from itertools import accumulate

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
RANDOM_BITS = 80
LENGTH = 26
#: Milliseconds the clock may step back without ids losing their order.
TOLERANCE = 1000
#: Bits that differ among ids made at once.
LOW_BITS = 50


def new_id(prefix: str) -> str:
    """One new id, greater than every id this process made before in the same millisecond."""
    return f"{prefix}_{encode(next_values(1)[0])}"


def new_ids(prefix: str, count: int) -> list[str]:
    """So many new ids in rising order."""
    return [f"{prefix}_{encode(value)}" for value in next_values(count)] if count else []


def encode(value: int) -> str:
    """128 bits as 26 base-32 characters, most significant first."""
    low = value & ((1 << LOW_BITS) - 1)
    return (
        f"{_high(value >> LOW_BITS)}{PAIRS[low >> 40]}{PAIRS[low >> 30 & 1023]}"
        f"{PAIRS[low >> 20 & 1023]}{PAIRS[low >> 10 & 1023]}{PAIRS[low & 1023]}"
    )


@lru_cache(8)
def _high(value: int) -> str:
    """The first characters; mostly those of the id before."""
    return "".join(PAIRS[value >> shift & 1023] for shift in range(70, -1, -10))


def next_values(count: int) -> list[int]:
    """Time and randomness; inside one millisecond the previous value plus a random step each.

    A clock set back by more than `TOLERANCE` starts over: ids from the future would stay on top.
    """
    global _last
    now = time.time_ns() // 1_000_000
    fresh = now << RANDOM_BITS | int.from_bytes(os.urandom(10))
    steps = array("I", os.urandom(4 * count))
    with _lock:
        step = _last + 1 + steps[0]
        first = step if 0 <= (_last >> RANDOM_BITS) - now <= TOLERANCE else fresh
        values = list(accumulate(steps[1:], lambda last, step: last + 1 + step, initial=first))
        _last = values[-1]
        return values


_lock = threading.Lock()
_last = 0
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
