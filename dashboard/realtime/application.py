"""Which requests are answered here, and what stands around each of them."""

import logging

from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from django.urls import Resolver404, ResolverMatch, resolve

from dashboard.api.errors import ApiError
from dashboard.realtime.asgi import Exchange, Gone
from dashboard.realtime.callers import identified
from dashboard.realtime.hub import Hub, hub
from runs import conf

log = logging.getLogger("trackside")


async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> bool:
    """Answer a request that is ours; whether it was."""
    match = _match(scope)
    if match is None:
        return False
    await _answer(Exchange(scope, receive, send), match)  # type: ignore[arg-type]
    return True


def _match(scope: Scope) -> ResolverMatch | None:
    """The URL pattern of ours that a request fits."""
    if scope["type"] != "http":
        return None
    try:
        match = resolve(_path(scope))
    except Resolver404:
        return None
    return match if hasattr(match.func, "realtime") else None


def _path(scope: HTTPScope) -> str:
    """As Django reads it: without the prefix the server serves the application under."""
    root = scope.get("root_path", "")
    return scope["path"].removeprefix(root) if root else scope["path"]


async def _answer(exchange: Exchange, match: ResolverMatch) -> None:
    here = hub()
    here.count += 1
    try:
        await _handled(exchange, here, match)
    except Gone:
        log.debug("A subscriber left.")
    except Exception as error:  # the one place that turns errors into answers
        try:
            await exchange.refuse(error)
        except Gone:
            log.debug("A subscriber left.")
    finally:
        here.count -= 1


async def _handled(exchange: Exchange, here: Hub, match: ResolverMatch) -> None:
    if exchange.method == "OPTIONS":
        await exchange.preflight()
        return
    most = int(conf.get("REALTIME_SUBSCRIBERS"))
    if here.count > most:
        raise ApiError(
            503,
            f"This process has {most:,} subscribers, its limit; try again or start another one.",
            headers={"retry-after": "5"},
        )
    caller = await identified(exchange, here)
    await match.func.realtime(exchange, here, caller, **match.kwargs)  # type: ignore[attr-defined]
