"""Who subscribes, and whether they still may."""

import hashlib

from django.utils import timezone

from dashboard.api import access, auth, limits
from dashboard.api.auth import Caller
from dashboard.realtime.asgi import Exchange
from dashboard.realtime.hub import Hub
from dashboard.realtime.work import threaded
from runs.lifecycle import apikeys


async def identified(exchange: Exchange, hub: Hub) -> Caller:
    """The caller, looked up anew for each request; raises a 401. Many with one token are one look."""
    scheme, _, text = exchange.headers.get("authorization", "").partition(" ")
    bearer = text.strip() if scheme.lower() == "bearer" else ""
    key = hashlib.sha256(bearer.encode()).digest()
    return await hub.callers.ask(key, lambda: threaded(auth.authenticate, bearer))


async def still(caller: Caller, hub: Hub) -> None:
    """Raises a 401 when the key was revoked, or key or token ran out, since the caller came."""
    number = caller.key.pk
    is_over = caller.token is not None and caller.token.expires_at <= timezone.now()
    if is_over or not await hub.callers.ask(number, lambda: threaded(apikeys.live, number)):
        raise auth.unauthorized()


async def counted(caller: Caller) -> None:
    """Count a request that is not held against the caller's rate; raises a 429."""
    await threaded(limits.take, caller)


async def require_run(caller: Caller, action: str, run_id: str) -> None:
    """By the run's id, its task, any of its tags, or its batch; raises a 403."""
    if caller.tasks:
        await threaded(access.require_runs, caller, [run_id])
    if caller.is_public and not caller.may(action, ("runs", run_id)):
        caller.require(action, *await threaded(access.resources_of, run_id))
    else:
        caller.require(action, ("runs", run_id))
