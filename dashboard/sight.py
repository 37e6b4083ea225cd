"""How much of what bodies and clients wrote somebody is shown: payloads, outputs, metadata, logs, errors.

Whoever answers a request says so once, with `using(...)`; every presenter asks here. Where nobody has
said anything, nothing is shown.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any, cast

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from dashboard import permissions
from dashboard.permissions import Person
from runs import redaction

#: What stands in place of a text that is not shown.
HIDDEN = permissions.REASONS[permissions.READ]
#: The same for programs.
HIDDEN_FROM_KEY = "Hidden: this key may not read payloads."


class Sight(IntEnum):
    """How much, the least first."""

    NOTHING = 0
    REDACTED = 1
    STORED = 2


_sight: ContextVar[Sight] = ContextVar("sight", default=Sight.NOTHING)


@contextmanager
def using(sight: Sight) -> Iterator[None]:
    """Answer with as much as `sight`."""
    before = _sight.set(sight)
    try:
        yield
    finally:
        _sight.reset(before)


def lasting(answer: HttpResponseBase, sight: Sight) -> None:
    """Parts of an answer that are made while it is sent are made with `sight` too."""
    if isinstance(answer, StreamingHttpResponse) and not answer.is_async:
        parts = cast(Iterator[bytes], answer.streaming_content)
        answer.streaming_content = _each(iter(parts), sight)


def _each(parts: Iterator[bytes], sight: Sight) -> Iterator[bytes]:
    while True:
        with using(sight):
            part = next(parts, None)
        if part is None:
            return
        yield part


def of(user: Person) -> Sight:
    """A person's: what is redacted is so for everybody, and revealed by asking for it."""
    return Sight.REDACTED if permissions.may(user, permissions.READ) else Sight.NOTHING


def current() -> Sight:
    return _sight.get()


def is_hidden() -> bool:
    """Whether nothing of it is shown."""
    return _sight.get() is Sight.NOTHING


def document(text: str, source: str = "") -> str:
    """A stored JSON text as it may be shown; `source` is its column. Empty where nothing may."""
    found = _sight.get()
    if found is Sight.REDACTED:
        return redaction.rules().document(text, source)
    return text if found is Sight.STORED else ""


def text(text: str) -> str:
    """A log line or message as it may be shown. Empty where nothing may."""
    found = _sight.get()
    if found is Sight.REDACTED:
        return redaction.rules().text(text)
    return text if found is Sight.STORED else ""


def name(text: str) -> str:
    """What everybody who may look sees: the name of a span, a sentence that quotes a value."""
    return text if _sight.get() is Sight.STORED else redaction.rules().text(text)


def value(value: Any, source: str = "") -> Any:
    """Plain values as they may be shown; None where nothing may."""
    found = _sight.get()
    if found is Sight.REDACTED:
        return redaction.rules().value(value, source)
    return value if found is Sight.STORED else None
