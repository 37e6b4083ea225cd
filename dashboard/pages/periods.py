"""The time ranges a list offers."""

from datetime import timedelta

#: Name in the address -> words and length; None is all time.
PERIODS: dict[str, tuple[str, timedelta | None]] = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(hours=24)),
    "3d": ("3 days", timedelta(days=3)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
    "all": ("all time", None),
}
DEFAULT_PERIOD = "7d"


def wider(name: str) -> list[str]:
    """Names of the next two wider ones."""
    names = list(PERIODS)
    return names[names.index(name) + 1 :][:2]


def narrower(name: str) -> list[str]:
    """Names of the next two narrower ones."""
    names = list(PERIODS)
    return names[max(0, names.index(name) - 2) : names.index(name)][::-1]
