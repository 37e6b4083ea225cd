"""Addresses that several parts of a run's page lead to."""

from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse


def if_there(name: str, *args: str, **asked: str) -> str:
    """The page called `name`; empty where there is none."""
    try:
        address = reverse(f"dashboard:{name}", args=args)
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode(asked)}" if asked else address


def compared(run_id: str, attempt: int = 0) -> str:
    """A run beside what it is worth comparing with, or an attempt beside the one before."""
    if not attempt:
        return if_there("compare", a=run_id)
    return if_there("compare", a=f"{run_id}:{attempt - 1}", b=f"{run_id}:{attempt}")


def like(**asked: str) -> str:
    """The runs list with a filter."""
    return f"{reverse('dashboard:runs')}?{urlencode(asked)}"
