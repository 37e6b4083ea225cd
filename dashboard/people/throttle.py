"""Guessing passwords is slow: so many tries of one address, and so many of one address for one account.

Counted in the database, over all web processes, in windows of fixed length. An account is never locked:
its owner logs in from elsewhere, and from everywhere when the window ends.
"""

import hashlib
import random
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from runs.lifecycle import allowances

#: Seconds of a window, and the failures in it of one address for one account, and for all of them.
WINDOW, FOR_ONE, FOR_ALL = 900, 10, 100
#: Who may have one IPv6 address has a whole network of this size.
NETWORK = 64
#: One try in so many takes rows of earlier windows away.
SELDOM = 50


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """Too many tries."""

    #: Seconds until the next one.
    wait: int
    #: Whether this is the try that made it too many.
    is_first: bool


def take(address: str, account: str) -> None:
    """Count a try before the password is looked at. Raises Refused."""
    window = _window()
    pair, whole = _callers(address, account)
    used = allowances.take(pair, window, 1)
    if random.randrange(SELDOM) == 0:
        allowances.forget(allowances.LOGIN, window)
    if used >= FOR_ONE:
        raise Refused(_left(window), used == FOR_ONE)
    # behind a socket nobody has an address, and all would share one
    if address and (taken := allowances.take(whole, window, 1)) >= FOR_ALL:
        raise Refused(_left(window), taken == FOR_ALL)


def succeeded(address: str, account: str) -> None:
    """What was counted was no guess."""
    window = _window()
    pair, whole = _callers(address, account)
    allowances.take(pair, window, -allowances.take(pair, window, 0))
    if address:
        allowances.take(whole, window, -1)


def _window() -> int:
    return int(time.time() // WINDOW)


def _left(window: int) -> int:
    return max(1, int((window + 1) * WINDOW - time.time()))


def _callers(address: str, account: str) -> tuple[str, str]:
    place = _place(address)
    return _named(f"{place}\0{account.strip().casefold()}"), _named(place)


def _named(text: str) -> str:
    return allowances.LOGIN + hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]


def _place(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((found, NETWORK), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)
