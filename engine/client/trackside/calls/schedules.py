"""Schedules: what runs by the clock."""

from trackside.calls.common import ask, at, done, given, numbered, told
from trackside.models import Schedule
from trackside.steps import Call, Items, Request

PATH = "/api/v1/schedules"


def create(
    task: str,
    cron: str,
    *,
    deduplication_key: str,
    timezone: str | None = None,
    external_id: str | None = None,
    window: str | None = None,
) -> Call[Schedule]:
    """Make a schedule; one with the same key is changed instead."""
    body = given(
        task=task,
        cron=cron,
        deduplication_key=deduplication_key,
        timezone=timezone,
        external_id=external_id,
        window=window,
    )
    return ask(Request("POST", PATH, body=body), Schedule)


def retrieve(schedule_id: str) -> Call[Schedule]:
    """One schedule."""
    return ask(Request("GET", at(PATH + "/{}", schedule_id)), Schedule)


def every(*, limit: int | None = None) -> Items[Schedule]:
    """All schedules, page after page."""
    return numbered(PATH, Schedule, limit)


def update(
    schedule_id: str,
    *,
    task: str,
    cron: str,
    timezone: str | None = None,
    external_id: str | None = None,
    window: str | None = None,
) -> Call[Schedule]:
    """Change a schedule."""
    body = given(task=task, cron=cron, timezone=timezone, external_id=external_id, window=window)
    return ask(Request("PUT", at(PATH + "/{}", schedule_id), body=body), Schedule)


def activate(schedule_id: str) -> Call[Schedule]:
    """Let it fire again."""
    return ask(Request("POST", at(PATH + "/{}/activate", schedule_id)), Schedule)


def deactivate(schedule_id: str, *, reason: str | None = None) -> Call[Schedule]:
    """Let it fire no more; the reason is shown while it is off."""
    body = given(reason=reason) or None
    return ask(Request("POST", at(PATH + "/{}/deactivate", schedule_id), body=body), Schedule)


def delete(schedule_id: str) -> Call[None]:
    """Remove it; its runs stay."""
    return done(Request("DELETE", at(PATH + "/{}", schedule_id)))


def timezones(*, exclude_utc: bool = False) -> Call[list[str]]:
    """Names of time zones a schedule may have."""
    query = {"excludeUtc": "true"} if exclude_utc else {}
    return told(Request("GET", "/api/v1/timezones", query), "timezones")
