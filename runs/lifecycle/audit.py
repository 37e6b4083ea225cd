"""Who did what."""

import json
from contextvars import ContextVar, Token
from ipaddress import ip_address
from typing import Any

from runs.models import AuditLog

_origin: ContextVar[str] = ContextVar("origin", default="")

#: Every verb that is put on record, in the words of the audit log. What makes runs is on record with
#: the run itself: it says who triggered it.
VERBS = {
    "run.cancel": "Canceled a run",
    "run.cancel_soon": "Asked for a cancel that can be undone",
    "run.cancel_withdrawn": "Undid a cancel",
    "run.replay": "Replayed a run",
    "run.test": "Triggered a run by hand",
    "run.edit": "Edited a run",
    "run.purge": "Purged queued runs",
    "run.unlock": "Unlocked a run from its version",
    "run.skip_wait": "Ended a wait",
    "run.metadata": "Changed metadata",
    "run.tags": "Added tags",
    "run.reveal": "Revealed redacted values",
    "run.export": "Exported runs",
    "run.note": "Noted on a run",
    "run.pin": "Pinned a run",
    "run.unpin": "Unpinned a run",
    "batch.test": "Triggered a batch by hand",
    "bulk.cancel": "Canceled in bulk",
    "bulk.replay": "Replayed in bulk",
    "bulk.tag": "Tagged in bulk",
    "bulk.priority": "Set priorities in bulk",
    "bulk.key": "Freed keys in bulk",
    "bulk.abort": "Aborted a bulk action",
    "bulk.pause": "Paused a bulk action",
    "bulk.resume": "Resumed a bulk action",
    "worker.drain": "Drained a cluster",
    "worker.resume": "Resumed a cluster",
    "worker.stop": "Stopped a cluster",
    "view.save": "Saved a view",
    "view.change": "Changed a view",
    "view.delete": "Deleted a view",
    "view.default": "Chose the first view",
    "template.create": "Made a template",
    "template.update": "Changed a template",
    "template.delete": "Deleted a template",
    "key.reset": "Freed an idempotency key",
    "waitpoint.complete": "Completed a wait token",
    "waitpoint.time_out": "Timed a wait token out",
    "waitpoint.fail": "Failed a wait token",
    "queue.create": "Created a queue",
    "queue.pause": "Paused a queue",
    "queue.resume": "Resumed a queue",
    "queue.pause_all": "Paused all queues",
    "queue.resume_all": "Resumed all queues",
    "queue.override": "Overrode limits",
    "queue.reset": "Removed an override",
    "queue.limits": "Changed limits",
    "task.pause": "Paused a task",
    "task.resume": "Resumed a task",
    "schedule.create": "Created a schedule",
    "schedule.update": "Changed a schedule",
    "schedule.activate": "Switched a schedule on",
    "schedule.deactivate": "Switched a schedule off",
    "schedule.delete": "Deleted a schedule",
    "schedule.delete_soon": "Asked for a delete that can be undone",
    "schedule.delete_withdrawn": "Undid a delete",
    "schedule.run_now": "Ran a schedule now",
    "schedule.backfill": "Made fires of the past",
    "error.resolved": "Resolved an error",
    "error.ignored": "Ignored an error",
    "error.reopened": "Reopened an error",
    "error.assigned": "Assigned an error",
    "error.noted": "Noted on an error",
    "envvar.create": "Created a variable",
    "envvar.update": "Changed a variable",
    "envvar.delete": "Deleted a variable",
    "apikey.create": "Made an API key",
    "apikey.revoke": "Revoked an API key",
    "apikey.replace": "Replaced the preset API key",
    "access.refused": "Was refused",
    "account.login": "Logged in",
    "account.logout": "Logged out",
    "account.failed": "Gave a wrong password",
    "account.slowed": "Tried too many passwords",
    "account.password": "Changed the own password",
    "account.add": "Added an account in Django's admin",
    "account.change": "Changed an account in Django's admin",
    "account.delete": "Deleted an account in Django's admin",
    "member.invite": "Invited a member",
    "member.role": "Changed a role",
    "member.link": "Made a login link",
    "member.sessions": "Ended all sessions",
    "member.activate": "Switched an account on",
    "member.deactivate": "Switched an account off",
    "alert.channel": "Changed an alert channel",
    "alert.rule": "Changed an alert rule",
    "alert.delete": "Deleted an alert's channel or rule",
    "alert.test": "Sent a test alert",
    "retention.change": "Changed the retention",
    "demo.make": "Made demo data",
    "demo.clear": "Removed demo data",
}

#: Those that tell that nothing was done; all others are written with what they tell about.
REFUSED = frozenset({"access.refused", "account.failed", "account.slowed"})


def came_from(address: str) -> Token[str]:
    """Name the network address of whoever acts from here on, in this thread or task."""
    return _origin.set(address)


def forget_origin(token: Token[str]) -> None:
    _origin.reset(token)


def record(actor: str, action: str, target: str, *, reason: str = "", **data: Any) -> None:
    """Append one row, in the transaction of what it tells about."""
    AuditLog.objects.create(
        actor=actor or "system",
        action=action,
        target=target[:300],
        reason=reason,
        data=json.dumps(data, default=str) if data else "",
        ip=_address(_origin.get()),
    )


def _address(text: str) -> str | None:
    """None for what is no address: a socket's name, a test's."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
