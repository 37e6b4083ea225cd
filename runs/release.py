"""Which release of Trackside this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def release() -> str:
    """Its version; empty in a checkout that is not installed."""
    try:
        return version("trackside")
    except PackageNotFoundError:
        return ""
