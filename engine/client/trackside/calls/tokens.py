"""Wait tokens: what a run waits for, and who completes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trackside.calls.common import (
    Duration,
    Moment,
    ask,
    at,
    cursored,
    done,
    filters,
    given,
    spoken,
    times,
)
from trackside.models import NewToken, Token, shaped
from trackside.steps import Call, Items, Request

PATH = "/api/v1/waitpoints/tokens"


def create(
    *,
    timeout: Moment | None = None,
    tags: str | Sequence[str] | None = None,
    idempotency_key: str | None = None,
    idempotency_key_ttl: Duration | None = None,
) -> Call[NewToken]:
    """Make a token, or find the one its key made."""
    body = given(
        timeout=None if timeout is None else spoken(timeout),
        tags=tags,
        idempotency_key=idempotency_key,
        idempotency_key_ttl=None if idempotency_key_ttl is None else spoken(idempotency_key_ttl),
    )
    answer = yield Request("POST", PATH, body=body)
    told, signed = answer.json(), answer.headers.get("x-trigger-jwt")
    return shaped(told | ({"publicAccessToken": signed} if signed else {}), NewToken)


def complete(token_id: str, data: Any = None) -> Call[None]:
    """Complete it: the run that waits gets `data`. The first completion counts."""
    return done(Request("POST", at(PATH + "/{}/complete", token_id), body={"data": data}))


def fail(token_id: str, message: str) -> Call[None]:
    """End it with an error: the run that waits gets `message`."""
    return done(Request("POST", at(PATH + "/{}/fail", token_id), body={"message": message}))


def retrieve(token_id: str) -> Call[Token]:
    """One token with what completed it."""
    return ask(Request("GET", at(PATH + "/{}", token_id)), Token)


def every(
    *,
    status: str | Sequence[str] | None = None,
    idempotency_key: str | None = None,
    tags: str | Sequence[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    period: Duration | None = None,
    limit: int | None = None,
) -> Items[Token]:
    """Tokens, newest first, without output, page after page."""
    wanted = filters(status=status, idempotency_key=idempotency_key, tags=tags)
    return cursored(PATH, wanted | times(start, end, period), Token, limit)
