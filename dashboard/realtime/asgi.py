"""Answers in ASGI's own words."""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse

from dashboard.api import errors
from dashboard.api.errors import ApiError

log = logging.getLogger("trackside")

Headers = dict[str, str]
#: Browsers on other sites may subscribe: what admits a caller is the bearer token, never a cookie.
ANYWHERE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PUT, HEAD, OPTIONS",
    "access-control-max-age": "600",
}
NAMED = (
    "authorization, content-type, last-event-id, timeout-seconds, trigger-version, "
    "x-trigger-api-version, x-trigger-client, x-trigger-electric-version, x-trigger-source, "
    "x-trigger-stream-start"
)
#: A client that takes nothing for so long has left.
SEND_SECONDS = 30.0


class Gone(Exception):
    """The client left, or takes nothing any more."""


class Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self.scope, self.receive, self._send = scope, receive, send
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self.method, self.query = scope["method"], scope["query_string"]
        self.has_begun = False

    async def begin(self, status: int, headers: Headers) -> None:
        """The status line and the headers."""
        self.has_begun = True
        pairs = [(k.encode(), v.encode()) for k, v in {**ANYWHERE, **headers}.items()]
        await self._sent(
            {"type": "http.response.start", "status": status, "headers": pairs, "trailers": False}
        )

    async def write(self, text: str | bytes, *, more: bool = True) -> None:
        """A part of the body; the last one without `more`."""
        body = text.encode() if isinstance(text, str) else text
        await self._sent({"type": "http.response.body", "body": body, "more_body": more})

    async def _sent(self, event: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(event)
        except (TimeoutError, OSError) as error:
            raise Gone from error

    async def answer(self, status: int, value: Any, headers: Headers | None = None) -> None:
        """A whole answer in JSON; none where there is nothing to say."""
        body = b"" if value is None else json.dumps(value).encode()
        kind = {} if value is None else {"content-type": "application/json"}
        length = {} if status == 204 else {"content-length": str(len(body))}
        await self.begin(status, {**kind, **length, **(headers or {})})
        await self.write(body if self.method != "HEAD" else b"", more=False)

    async def refuse(self, error: Exception) -> None:
        """What the API answers to that error; an answer that has begun breaks off."""
        if self.has_begun:
            log.warning("A subscriber's answer broke off.", exc_info=error)
            return
        if isinstance(error, InterfaceError):  # a connection that broke, seen from its other side
            error = OperationalError(str(error))
        made: HttpResponse = errors.response(error)
        headers = {name.lower(): value for name, value in made.items()}
        if made.status_code == 503:
            headers.setdefault("retry-after", "1")
        await self.answer(made.status_code, json.loads(made.content), headers)

    async def preflight(self) -> None:
        await self.answer(204, None, {**PREFLIGHT, "access-control-allow-headers": NAMED})

    def allow(self, methods: Iterable[str]) -> None:
        """Raises a 405."""
        if self.method not in methods:
            named = ", ".join(methods)
            raise ApiError(
                405, f"Use {named} here, not {self.method[:20]}.", headers={"allow": named}
            )
