"""Lines of the log: for people, or as JSON for whoever collects them. Neither tells secrets.

A formatter of Python's own logging and no package: structlog wants code that logs through it, and the lines
here are Django's, uvicorn's and those of people's tasks too; python-json-logger would write out every
`extra` of a record, requests and payloads among them, where this writes what it names and nothing else.
"""

import json
import logging
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from runs import redaction

#: Characters of a message, and of what is told of an error.
LONGEST, LONGEST_ERROR = 16_384, 32_768
#: What anybody could act with, wherever it stands: keys, tokens, and links that carry a signature.
SECRETS = re.compile(
    r"\btr_\w+_[0-9A-Za-z]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
    r"|(?<=/callback/)[\w-]{16,}|(?<=/first-login/)\S{16,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
#: Functions that say more of whoever logs: the run it is, say. The engine adds its own.
sources: list[Callable[[], dict[str, Any]]] = []


class Request:
    """The request that is being answered. Its id is drawn when a line wants it: most log nothing."""

    def __init__(self, given: str = "") -> None:
        self.id = given

    def named(self) -> str:
        self.id = self.id or secrets.token_hex(8)
        return self.id


request: ContextVar[Request | None] = ContextVar("trackside_request", default=None)
_telling: ContextVar[bool] = ContextVar("trackside_telling", default=False)


def masked(text: str) -> str:
    """Without keys, tokens and what REDACT names."""
    try:
        text = redaction.rules().text(text)
    except Exception:  # a line must come out also where the setting is wrong
        return "[redacted: the setting REDACT cannot be read]"
    return SECRETS.sub("[redacted]", text)


class TextFormatter(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.told(record))

    def told(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line has."""
        found: dict[str, Any] = {
            "time": moment(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": masked(_message(record)[:LONGEST]),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **context(),
        }
        status = getattr(record, "status_code", None)
        if isinstance(status, int):
            found["status_code"] = status
        if record.exc_info and record.exc_info[0] is not None:
            found["error"] = masked(self.formatException(record.exc_info)[-LONGEST_ERROR:])
        elif record.stack_info:
            found["stack"] = masked(record.stack_info[-LONGEST_ERROR:])
        return found


def json_line(
    text: str, level: str = "INFO", logger: str = "trackside", *, as_is: bool = False
) -> str:
    """A line of text that is no record, where the log is JSON; empty elsewhere.

    `as_is` for what is meant to be read: the link of the first login.
    """
    found = (handler.formatter for handler in logging.getLogger().handlers)
    formatter = next((one for one in found if isinstance(one, JsonFormatter)), None)
    if formatter is None:
        return ""
    record = logging.makeLogRecord({"msg": text, "levelname": level, "name": logger})
    told = formatter.told(record)
    return json.dumps(told | {"message": text} if as_is else told)


def context() -> dict[str, Any]:
    """What is known of whoever logs, without what is empty."""
    if _telling.get():
        return {}
    asked = request.get()
    found: dict[str, Any] = {"request_id": asked.named()} if asked else {}
    with _once():
        for source in sources:
            try:
                found |= source()
            except Exception:  # noqa: S112  # a line must come out all the same
                continue
    return {name: value for name, value in found.items() if value not in ("", None)}


def moment(seconds: float) -> str:
    """In UTC, as RFC 3339 writes it."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


@contextmanager
def _once() -> Iterator[None]:
    """A source that logs itself does not ask itself again."""
    token = _telling.set(True)
    try:
        yield
    finally:
        _telling.reset(token)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # bad arguments, a failing __str__
        return f"{record.msg!r:.1000} [could not be formatted: {type(error).__name__}]"
