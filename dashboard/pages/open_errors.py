"""How many errors are open, for the navigation of every page."""

from django.core.cache import cache

from runs.reads import errors

KEY = "dashboard.errors.open"
#: Seconds it is remembered.
REMEMBERED = 10


def count() -> str:
    """Capped; empty for none."""
    known: str | None = cache.get(KEY)
    if known is None:
        found = errors.unresolved()
        known = str(found) if found else ""
        cache.set(KEY, known, REMEMBERED)
    return known


def forget() -> None:
    """Somebody changed an error and wants to see it."""
    cache.delete(KEY)
