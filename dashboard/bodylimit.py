"""An ASGI wrapper that stops a request's body at a size and a time.

Django spools the whole body before a view sees the request, also one sent in chunks without a
length, and waits for ever for a body that does not come.
"""

import asyncio
import errno
import json
import re

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
    Scope,
)

from runs import conf

FULL = {errno.ENOSPC, errno.EDQUOT}
#: The whole body must have arrived by then.
SECONDS = 60.0
#: Beside the payload: options, metadata, form fields.
ENVELOPE = 1 << 20
#: Where the items of a batch go.
ITEMS = re.compile(r"/api/v3/batches/[^/]+/items$")
#: A payload grows when a form or a JSON string carries it: quotes, escapes, percent signs.
GROWTH = 3


def body_limit() -> int:
    """The largest request body in bytes: a payload at its limit fits in any encoding."""
    return GROWTH * int(conf.get("PAYLOAD_LIMIT")) + ENVELOPE


def limit_of(path: str) -> int:
    """The largest body of a request to `path`: the items of a batch come together."""
    return int(conf.get("BATCH_LIMIT")) if ITEMS.search(path) else body_limit()


def limit_bodies(app: ASGI3Application, *, seconds: float = SECONDS) -> ASGI3Application:
    """`app`, answering 413 to a body above `limit_of()` its path and 408 to one that is too slow."""

    async def limited(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = _Body(scope, receive, send, seconds)
        if not body.problem:
            try:
                await app(scope, body.receive, body.send)
            except OSError as error:
                if error.errno not in FULL or body.answered:
                    raise
                # a large body is spooled to the disk before a view sees the request
                body.problem = (507, "There is no room for a body of this size; try again later.")
        if body.problem and not body.answered:
            await _refuse(scope, send, *body.problem)

    return limited


class _Body:
    """Counts what arrives. Past a limit it tells the application that the client left."""

    def __init__(
        self,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        seconds: float,
    ) -> None:
        self._receive, self._send = receive, send
        self.limit, self.size = limit_of(scope["path"]), 0
        self.end = asyncio.get_running_loop().time() + seconds
        self.complete = self.answered = False
        self.problem: tuple[int, str] | None = None
        if _declared(scope) > self.limit:
            self._too_large()

    async def receive(self) -> ASGIReceiveEvent:
        if self.complete:
            return await self._receive()
        try:
            event = await self._in_time()
        except TimeoutError:
            self.problem = (408, "The request's body did not arrive in time.")
            return {"type": "http.disconnect"}
        if event["type"] == "http.request":
            self.size += len(event.get("body", b""))
            self.complete = not event.get("more_body", False)
            if self.size > self.limit:
                self._too_large()
                return {"type": "http.disconnect"}
        return event

    async def _in_time(self) -> ASGIReceiveEvent:
        """The next part. No `wait_for`: it makes a task for what mostly is there already."""
        if asyncio.get_running_loop().time() >= self.end:
            raise TimeoutError
        async with asyncio.timeout_at(self.end):
            return await self._receive()

    async def send(self, event: ASGISendEvent) -> None:
        self.answered = True
        await self._send(event)

    def _too_large(self) -> None:
        self.problem = (413, f"The request's body is larger than {self.limit:,} bytes.")


def _declared(scope: HTTPScope) -> int:
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


async def _refuse(scope: HTTPScope, send: ASGISendCallable, status: int, sentence: str) -> None:
    json_wanted = "/api/" in scope["path"] or "/webhooks/" in scope["path"]
    text = json.dumps({"error": sentence}) if json_wanted else sentence
    kind = "application/json" if json_wanted else "text/plain; charset=utf-8"
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        # the rest of the body is not read
        (b"connection", b"close"),
    ]
    await send(
        {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": text.encode(), "more_body": False})
