"""Drives calls over httpx: in the calling thread, or on the running event loop."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from trackside.errors import ConnectionFailed
from trackside.opened import AsyncOpened, Opened
from trackside.steps import Answer, Item, More, Pause, Policy, Request, Step, performed

T = TypeVar("T")
Steps = Generator[Step | Item[Any], Any, T]


@dataclass(frozen=True, slots=True)
class Said:
    """What a step came to, to be told to the call."""

    value: Any = None
    error: ConnectionFailed | None = None

    def to(self, steps: Steps[Any]) -> Step | Item[Any]:
        """The call's next step; StopIteration when it has ended."""
        return steps.send(self.value) if self.error is None else steps.throw(self.error)


class Driver:
    """What both have in common: the address, the key, and how a request looks to httpx."""

    def __init__(self, url: str, key: str, *, max_attempts: int) -> None:
        self.url, self._key = url, key
        self.policy = Policy(max_attempts, self._sign)

    def asked(self, request: Request, body: Any) -> dict[str, Any]:
        """Arguments for httpx. `body` is that of a request with lines."""
        headers = {"accept": "application/json", **request.headers}
        if request.is_keyed:
            headers["authorization"] = f"Bearer {self._key}"
        content = request.content if body is None else body
        if request.body is not None:
            content = json.dumps(request.body, allow_nan=False).encode()
        headers.setdefault("content-type", "application/json")
        is_whole = request.path.startswith(("http://", "https://"))
        arguments = {
            "method": request.method,
            "url": request.path if is_whole else self.url + request.path,
            "params": dict(request.query) or None,
            "content": content,
            "headers": headers,
        }
        return arguments | ({} if request.timeout is None else {"timeout": request.timeout})

    def failed(self, error: httpx.TransportError) -> ConnectionFailed:
        """In words, without anything of the request."""
        return ConnectionFailed(f"{self.url} did not answer: {str(error) or type(error).__name__}")

    def _sign(self, claims: Mapping[str, Any]) -> str:
        """A JSON web token, HS256."""
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, dict(claims))]
        text = ".".join(parts)
        signature = hmac.new(self._key.encode(), text.encode(), hashlib.sha256).digest()
        return f"{text}.{_encoded(signature)}"


class Blocking(Driver):
    """Drives calls in the thread that makes them. May be shared by threads."""

    def __init__(self, url: str, key: str, *, max_attempts: int, **settings: Any) -> None:
        super().__init__(url, key, max_attempts=max_attempts)
        self.http = httpx.Client(**settings)

    def run(self, call: Steps[T]) -> T:
        """What the call ends in."""
        steps, said = performed(call, self.policy), Said()
        with Opened(self.http) as opened:
            while True:
                try:
                    step = said.to(steps)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                said = self._done(step, opened)

    def each(self, call: Steps[None]) -> Iterator[Any]:
        """The items of the call, made as they are asked for."""
        steps, said = performed(call, self.policy), Said()
        with Opened(self.http) as opened:
            while True:
                try:
                    step = said.to(steps)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    said = Said()
                else:
                    said = self._done(step, opened)

    def _done(self, step: Step | Item[Any], opened: Opened) -> Said:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return Said()
        try:
            if isinstance(step, More):
                return Said(opened.more())
            assert isinstance(step, Request)
            arguments = self.asked(step, step.lines() if step.lines else None)
            if step.opens:
                return Said(opened.begin(arguments))
            answer = self.http.request(**arguments)
        except httpx.TransportError as error:
            return Said(error=self.failed(error))
        return Said(Answer(answer.status_code, answer.headers, answer.content))


class Awaiting(Driver):
    """Drives calls on the running event loop."""

    def __init__(self, url: str, key: str, *, max_attempts: int, **settings: Any) -> None:
        super().__init__(url, key, max_attempts=max_attempts)
        self.http = httpx.AsyncClient(**settings)

    async def run(self, call: Steps[T]) -> T:
        """What the call ends in."""
        steps, said = performed(call, self.policy), Said()
        async with AsyncOpened(self.http) as opened:
            while True:
                try:
                    step = said.to(steps)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                said = await self._done(step, opened)

    async def each(self, call: Steps[None]) -> AsyncIterator[Any]:
        """The items of the call, made as they are asked for."""
        steps, said = performed(call, self.policy), Said()
        async with AsyncOpened(self.http) as opened:
            while True:
                try:
                    step = said.to(steps)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    yield step.value
                    said = Said()
                else:
                    said = await self._done(step, opened)

    async def _done(self, step: Step | Item[Any], opened: AsyncOpened) -> Said:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Said()
        try:
            if isinstance(step, More):
                return Said(await opened.more())
            assert isinstance(step, Request)
            lines = _awaited(step.lines()) if step.lines else None
            arguments = self.asked(step, lines)
            if step.opens:
                return Said(await opened.begin(arguments))
            answer = await self.http.request(**arguments)
        except httpx.TransportError as error:
            return Said(error=self.failed(error))
        return Said(Answer(answer.status_code, answer.headers, answer.content))


async def _awaited(lines: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
        return
    for line in lines:
        yield line


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
