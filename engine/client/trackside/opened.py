"""The answer of a call that is read while it comes: one at a time, closed when the call ends."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import httpx

from trackside.steps import Answer


class Opened:
    """Of a thread's call."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._answer: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def begin(self, asked: dict[str, Any]) -> Answer:
        """Send a request; its answer, of which a refusal is read whole."""
        self._close()
        timeout = asked.pop("timeout", httpx.USE_CLIENT_DEFAULT)
        request = self._http.build_request(**asked, timeout=timeout)
        self._answer = answer = self._http.send(request, stream=True)
        if answer.status_code >= 400:
            return Answer(answer.status_code, answer.headers, answer.read())
        self._pieces = answer.iter_bytes()
        return Answer(answer.status_code, answer.headers, b"")

    def more(self) -> bytes | None:
        """What has come since; None at the end."""
        return next(self._pieces, None)

    def _close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._answer, self._pieces = None, iter(())


class AsyncOpened:
    """Of a call on an event loop."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._answer: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def begin(self, asked: dict[str, Any]) -> Answer:
        """Send a request; its answer, of which a refusal is read whole."""
        await self._close()
        timeout = asked.pop("timeout", httpx.USE_CLIENT_DEFAULT)
        request = self._http.build_request(**asked, timeout=timeout)
        self._answer = answer = await self._http.send(request, stream=True)
        if answer.status_code >= 400:
            return Answer(answer.status_code, answer.headers, await answer.aread())
        self._pieces = answer.aiter_bytes()
        return Answer(answer.status_code, answer.headers, b"")

    async def more(self) -> bytes | None:
        """What has come since; None at the end."""
        return None if self._pieces is None else await anext(self._pieces, None)

    async def _close(self) -> None:
        if self._answer is not None:
            await self._answer.aclose()
        self._answer = self._pieces = None
