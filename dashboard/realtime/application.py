"""Which requests are answered here, and what stands around each of them."""

import logging
from functools import cache, lru_cache
from importlib import import_module

from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from django.urls import Resolver404, ResolverMatch, URLResolver, resolve
from django.urls.resolvers import RegexPattern

from dashboard.api.auth import Caller
from dashboard.api.errors import ApiError
from dashboard.realtime import MARK
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
    prefix, _, rest = _path(scope).partition(MARK)
    if not _is_prefix(prefix):
        return None
    try:
        return _patterns().resolve(f"{MARK}{rest}")
    except Resolver404:
        return None


def _path(scope: HTTPScope) -> str:
    """As Django reads it: without the prefix the server serves the application under."""
    root = scope.get("root_path", "")
    return scope["path"].removeprefix(root) if root else scope["path"]


@lru_cache(64)
def _is_prefix(prefix: str) -> bool:
    """Whether the project includes our patterns there."""
    try:
        return hasattr(resolve(f"{prefix}{MARK}runs").func, "realtime")
    except Resolver404:
        return False


@cache
def _patterns() -> URLResolver:
    """Ours alone: the whole project has hundreds, and subscribers come often."""
    return URLResolver(RegexPattern(r"^/"), import_module("dashboard.realtime.urls"))


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
    answer = getattr(match.func, "realtime", _nothing)
    await answer(exchange, here, caller, **match.kwargs)


async def _nothing(exchange: Exchange, here: Hub, caller: Caller, **_: str) -> None:
    raise ApiError(404, "There is no such endpoint.", retry=False)
