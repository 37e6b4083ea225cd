"""Django's ASGI handler, answering a request in one thread from its first signal to its last.

As shipped it starts a thread for each request and goes back and forth between it and the event loop for
every middleware, every signal and the end of the answer; that takes longer than to trigger a run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from time import perf_counter
from typing import Any, TypeGuard

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from dashboard.monitoring import served

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
#: Requests that are answered at the same time; more wait their turn. Each may need a database connection.
THREADS = 10
#: Seconds a reader may take nothing of an answer that comes in parts.
PATIENCE = 60.0


class Handler(ASGIHandler):
    """For views and middleware that are not asynchronous, as Trackside's are."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. That its client left is noticed before and after its view, not in it."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        began = perf_counter()
        with closing(body):
            loop, context = asyncio.get_running_loop(), copy_context()
            response = await loop.run_in_executor(
                self._threads, context.run, self._answered, scope, body
            )
        served.note(response.status_code, perf_counter() - began)
        if isinstance(response, HttpResponse):
            await self._send(response, send)
        elif _is_stream(response):
            await self._stream(response, send)
        else:
            await self.send_response(response, send)
            await loop.run_in_executor(self._threads, response.close)

    def _answered(self, scope: dict[str, Any], body: Any) -> HttpResponseBase:
        """The answer, closed unless there is more to come of it."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response = self.get_response(request) if request is not None else refusal
        assert response is not None  # one of the two is there
        response._handler_class = type(self)  # type: ignore[attr-defined]
        if not isinstance(response, StreamingHttpResponse):
            response.close()
        return response

    async def _send(self, response: HttpResponse, send: Send) -> None:
        await self._begin(response, send)
        await send({"type": "http.response.body", "body": response.content, "more_body": False})

    async def _stream(self, response: StreamingHttpResponse, send: Send) -> None:
        """Part by part: who reads slowly keeps neither a thread nor the whole answer.

        Raises TimeoutError for who takes nothing any more, which ends the connection.
        """
        loop = asyncio.get_running_loop()
        try:
            await self._begin(response, send)
            parts = iter(response)
            while (part := await loop.run_in_executor(self._threads, _next, parts)) is not None:
                async with asyncio.timeout(PATIENCE):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await loop.run_in_executor(self._threads, response.close)

    async def _begin(self, response: HttpResponseBase, send: Send) -> None:
        headers = [(name.encode("ascii"), text.encode("latin1")) for name, text in response.items()]
        cookies = (cookie.output(header="") for cookie in response.cookies.values())
        headers += [(b"Set-Cookie", text.encode("ascii").strip()) for text in cookies]
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": headers,
                "trailers": False,
            }
        )


def _is_stream(response: HttpResponseBase) -> TypeGuard[StreamingHttpResponse]:
    """Whether it is made part by part. Files are small, and read whole."""
    if not isinstance(response, StreamingHttpResponse) or isinstance(response, FileResponse):
        return False
    return not response.is_async


def _next(parts: Iterator[bytes]) -> bytes | None:
    """The next part; None behind the last. Another thread may be asked for the one after it."""
    try:
        return next(parts, None)
    finally:
        close_old_connections()
