"""Who asked for what their account may not do stands in the audit log."""

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

from dashboard import permissions
from runs.lifecycle import audit

#: Seconds in which the same account's tries at the same form are told once: nobody is to fill the log.
ONCE = 60


def note(request: HttpRequest, sentence: str) -> None:
    """Of people who are logged in, and of forms that were sent: looking at a page changes nothing."""
    if request.method != "POST":
        return
    actor, match = permissions.actor(request.user), request.resolver_match
    form = f"{actor} {match.view_name if match else request.path}"
    key = "dashboard.refused." + hashlib.sha256(form.encode()).hexdigest()
    if cache.add(key, True, ONCE):
        audit.record(actor, "access.refused", request.path, reason=sentence)
