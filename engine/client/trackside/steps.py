"""What every call is made of, for threads and event loops alike.

A call is a generator: it yields a Request and is sent the Answer, yields a Pause and is resumed
after it, yields an Item for who iterates. A request that opens is answered while its body still
comes, and More asks for what there is of it. A call does no input or output of its own, so the same
one serves Client and AsyncClient, and both are only drivers.
"""

import json
import random
import time
import uuid
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from trackside.errors import ApiError, ConnectionFailed, InvalidAnswer, TracksideError, refusal

T = TypeVar("T")
REQUEST_KEY = "x-trigger-request-idempotency-key"
RETRIED = {408, 409, 429}
#: Seconds before the second attempt, what each is longer than the one before, and the longest.
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 1.0, 1.6, 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `lines` are sent as they are made, and made anew for every attempt."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    #: Sent as JSON.
    body: Any = None
    #: Sent as it is.
    content: bytes | None = None
    lines: Callable[[], Iterable[bytes] | AsyncIterable[bytes]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds, where it is not the client's own.
    timeout: float | None = None
    #: Not for addresses that are not Trackside's, or need no key.
    is_keyed: bool = True
    max_attempts: int | None = None
    #: Statuses that are answers here, though they are refusals elsewhere.
    accepts: frozenset[int] = frozenset()
    #: The answer is told when it begins, and its body read by `More`.
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, or the beginning of one whose body still comes."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Raises InvalidAnswer."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise InvalidAnswer(f"The answer ({self.status}) is not JSON.") from None


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class More:
    """The next bytes of the answer that is open; None when it has ended."""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """Something for who iterates."""

    value: T


@dataclass(frozen=True, slots=True)
class Sign:
    """Asks for a token with these claims, signed with the client's key."""

    claims: Mapping[str, Any]


Step = Request | Pause | Sign | More
#: A call that ends in a T.
Call = Generator[Step, Any, T]
#: A call that yields many T, and ends in nothing.
Items = Generator[Step | Item[T], Any, None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the client was told about attempts, and how it signs."""

    max_attempts: int
    sign: Callable[[Mapping[str, Any]], str]


def performed(
    call: Generator[Step | Item[Any], Any, T], policy: Policy
) -> Generator[Step | Item[Any], Any, T]:
    """`call` with every request tried as often as it may be: what is left to drive."""
    value: Any = None
    error: TracksideError | None = None
    while True:
        try:
            step = call.send(value) if error is None else call.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        value = error = None
        if isinstance(step, Request):
            try:
                value = yield from _attempts(step, policy)
            except TracksideError as problem:
                error = problem
        elif isinstance(step, Sign):
            value = policy.sign(step.claims)
        else:
            try:
                value = yield step
            except TracksideError as problem:
                error = problem


def _attempts(request: Request, policy: Policy) -> Call[Answer]:
    """The answer, after as many attempts as it takes. Raises ApiError and ConnectionFailed."""
    most = request.max_attempts or policy.max_attempts
    headers = {**request.headers}
    if request.method != "GET" and request.is_keyed:
        # one for all attempts: what was done already is not done again
        headers.setdefault(REQUEST_KEY, str(uuid.uuid4()))
    sent = _with(request, headers)
    for number in range(1, most + 1):
        try:
            answer: Answer = yield sent
        except ConnectionFailed:
            if number == most:
                raise
            yield Pause(_pause(number))
            continue
        problem = None if answer.status in request.accepts else _problem(answer)
        if problem is None:
            return answer
        if number == most or not _may_help(problem):
            raise problem
        yield Pause(_until(problem, number))
    raise AssertionError  # most is at least 1


def _with(request: Request, headers: Mapping[str, str]) -> Request:
    return replace(request, headers=headers)


def _problem(answer: Answer) -> ApiError | None:
    if answer.status < 400:
        return None
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = None
    text = answer.content[:300].decode(errors="replace")
    return refusal(answer.status, answer.headers, body, text)


def _may_help(problem: ApiError) -> bool:
    """Whether to try again: as the server says, else by the status."""
    said = problem.headers.get("x-should-retry")
    if said in {"true", "false"}:
        return said == "true"
    return problem.status in RETRIED or problem.status >= 500


def _until(problem: ApiError, number: int) -> float:
    """Seconds until the server wants to be asked again."""
    reset = problem.headers.get("x-ratelimit-reset", "")
    after = problem.headers.get("retry-after", "")
    if problem.status == 429 and reset.isdigit():
        return min(max(int(reset) / 1000 - time.time(), 0.0) + random.random() / 10, LONGEST_PAUSE)
    if after.isdigit():
        return min(float(after), LONGEST_PAUSE)
    return _pause(number)


def _pause(number: int) -> float:
    grown: float = FIRST_PAUSE * GROWTH ** (number - 1)
    return min(grown, LONGEST_PAUSE) * random.uniform(0.8, 1.2)
