"""The viewer's time zone: in the address for a shared link, else their cookie, else UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest
from django.utils import timezone

from dashboard import clocks
from dashboard.clocks import Clock
from dashboard.pages import cookies


def of(request: HttpRequest) -> tzinfo:
    """The zone of this request."""
    return find(request.GET.get("tz", "")) or find(request.COOKIES.get(cookies.ZONE, "")) or UTC


@contextmanager
def active(request: HttpRequest) -> Iterator[None]:
    """Format times of this request in its zone, as its viewer likes them."""
    clock = Clock(
        twelve=cookies.chosen(request, "clock") == "12",
        relative=cookies.chosen(request, "relative") == "on",
    )
    with timezone.override(of(request)), clocks.using(clock):
        yield


def find(name: str) -> tzinfo | None:
    """The zone called `name`, if there is one."""
    if name == "UTC":
        return UTC
    return ZoneInfo(name) if name in names() else None


@cache
def names() -> frozenset[str]:
    return frozenset(available_timezones())


def label(zone: tzinfo, now: datetime) -> str:
    """Its name and offset: "UTC" or "Europe/Zurich (UTC+2)"."""
    name = getattr(zone, "key", "UTC")
    return "UTC" if name == "UTC" else f"{name} ({_offset(now.astimezone(zone))})"


def _offset(moment: datetime) -> str:
    offset = moment.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")
