"""`retry.fetch`: HTTP requests by httpx that are tried again by what came back (features.md 4.8)."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict, cast

import httpx

from engine.sdk import filters, spans
from engine.sdk.pauses import apause, pause
from engine.sdk.resets import FORMATS, seconds_until_reset
from engine.sdk.retries import as_policy
from engine.sdk.spans import Trace
from engine.sdk.statuses import bounds, covers
from engine.sdk.tracer import Span
from engine.sdk.tries import UsedTries, remember
from runs.durations import seconds
from runs.errors import InvalidOption
from runs.retries import RetryPolicy

#: No request is sent more often, whatever its options say (RH-6).
MOST_TRIES = 10
#: Tells the server which try it sees.
COUNT_HEADER = "x-retry-count"
DEFAULT_STATUSES = "408,409,429,5xx"
#: Answers from here on are failures of the request's span.
FAILED = 400


class FetchRetry(TypedDict, total=False):
    """What is tried again, and how. What is left out is as without `retry=`; False is never.

    `by_status` has strategies by patterns ("429", "500-599", "5xx", "408,409", "all"):
    `{"strategy": "backoff", "max_attempts": 5, ...}` or `{"strategy": "headers",
    "reset_header": "x-ratelimit-reset", "reset_format": "unix_timestamp"}`.
    """

    by_status: Mapping[str, Mapping[str, Any]] | bool
    connection_error: Mapping[str, Any] | bool
    timeout: Mapping[str, Any] | bool


class FetchOptions(TypedDict, total=False):
    """What `retry.fetch` takes beside the address; what it does not know goes to httpx."""

    method: str
    retry: FetchRetry
    #: Seconds, or "1m", for each try.
    timeout: float | str | timedelta
    #: An httpx.Client, or AsyncClient, to send by; default is a new one.
    client: Any
    params: Any
    headers: Any
    cookies: Any
    content: Any
    data: Any
    files: Any
    json: Any
    auth: Any
    follow_redirects: bool


def fetch(url: httpx.URL | str, **options: Any) -> httpx.Response:
    """See `retry.fetch`."""
    request = Request(url, options)
    with cast("AbstractContextManager[httpx.Client]", request.client(httpx.Client)) as client:
        for headers in request.tries():
            try:
                with request.traced() as span:
                    response = client.request(**request.arguments(headers))
                    request.note(span, response)
                delay = request.answered(response)
            except httpx.TransportError as error:
                delay = request.failed(error)
            pause(delay or 0.0)
    return request.response


async def afetch(url: httpx.URL | str, **options: Any) -> httpx.Response:
    """See `retry.afetch`."""
    request = Request(url, options)
    opened = cast(
        "AbstractAsyncContextManager[httpx.AsyncClient]", request.client(httpx.AsyncClient)
    )
    async with opened as client:
        for headers in request.tries():
            try:
                with request.traced() as span:
                    response = await client.request(**request.arguments(headers))
                    request.note(span, response)
                delay = request.answered(response)
            except httpx.TransportError as error:
                delay = request.failed(error)
            await apause(delay or 0.0)
    return request.response


class Request:
    """One request and its tries."""

    response: httpx.Response

    def __init__(self, url: httpx.URL | str, options: Mapping[str, Any]) -> None:
        rest = dict(options)
        self._rules = Rules.of(rest.pop("retry", None) or {})
        self._client = rest.pop("client", None)
        if "timeout" in rest and isinstance(rest["timeout"], (str, timedelta, int, float)):
            rest["timeout"] = seconds(rest["timeout"], "timeout")
        self._arguments = {"method": "GET", **rest, "url": url}
        self._number, self._done = 0, False
        self._used = UsedTries.here("retry.fetch")

    def client(self, kind: Callable[[], Any]) -> Any:
        """The author's client, left open, or one of our own."""
        return kind() if self._client is None else nullcontext(self._client)

    def tries(self) -> Iterator[dict[str, str]]:
        """The headers of each try, until one is the last; those before a long pause count."""
        self._number = 0 if self._used is None else self._used.so_far()
        while not self._done:
            self._number += 1
            yield {COUNT_HEADER: str(self._number - 1)} if self._number > 1 else {}

    def arguments(self, headers: Mapping[str, str]) -> dict[str, Any]:
        own = httpx.Headers(self._arguments.get("headers"))
        own.update(headers)
        if "traceparent" not in own:
            own.update(spans.headers())
        return {**self._arguments, "headers": own}

    def traced(self) -> Trace:
        """The span of one try. A query may hold what nobody should read, so it is left out."""
        url, method = httpx.URL(self._arguments["url"]), str(self._arguments["method"]).upper()
        facts: dict[str, Any] = {
            "http.request.method": method,
            "url.full": f"{url.scheme}://{url.host}{url.path}" if url.host else url.path,
            "server.address": url.host,
        }
        if self._number > 1:
            facts["http.request.resend_count"] = self._number - 1
        return Trace(f"{method} {url.host}{url.path}", "http", facts)

    def note(self, span: Span, response: httpx.Response) -> None:
        """What came back."""
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= FAILED:
            span.fail(f"{response.status_code} {response.reason_phrase}".strip())

    def answered(self, response: httpx.Response) -> float | None:
        """Seconds until the next try; None when this is the answer."""
        strategy = self._rules.strategy_for(response)
        delay = None if strategy is None else strategy.delay(self._number, response)
        self.response, self._done = response, delay is None or self._number >= MOST_TRIES
        return remember(self._used, self._number, None if self._done else delay)

    def failed(self, error: httpx.TransportError) -> float:
        """Seconds until the next try; raises the error when there is none."""
        strategy = self._rules.strategy_after(error)
        delay = None if strategy is None else strategy.delay(self._number, None)
        if delay is None or self._number >= MOST_TRIES:
            remember(self._used, self._number, None)
            raise error
        remember(self._used, self._number, delay)
        return delay


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause that grows; for answers whose JSON body matches, where a filter is stated."""

    policy: RetryPolicy
    body_filter: Any = None

    def delay(self, number: int, _response: httpx.Response | None) -> float | None:
        return self.policy.delay(number)


@dataclass(frozen=True, slots=True)
class Headers:
    """Until the moment that the answer's header names; without one, a pause that grows."""

    reset_header: str
    reset_format: str
    policy: RetryPolicy
    body_filter: Any = None

    def delay(self, number: int, response: httpx.Response | None) -> float | None:
        backoff = self.policy.delay(number)
        stated = response.headers.get(self.reset_header) if response is not None else None
        reset = None if stated is None else seconds_until_reset(stated, self.reset_format)
        return backoff if backoff is None or reset is None else reset


Strategy = Backoff | Headers
DEFAULT = Backoff(RetryPolicy())


@dataclass(frozen=True, slots=True)
class Rules:
    """What is tried again, and how; None is never."""

    by_status: list[tuple[str, Strategy]] = field(default_factory=list)
    connection_error: Strategy | None = DEFAULT
    timeout: Strategy | None = DEFAULT

    @classmethod
    def of(cls, given: Any) -> "Rules":
        """The rules a `retry=` states. Raises InvalidOption."""
        if not isinstance(given, Mapping) or (set(given) - set(FetchRetry.__annotations__)):
            names = ", ".join(FetchRetry.__annotations__)
            raise InvalidOption("retry", f"retry.fetch's retry knows {names}; got {given!r:.120}.")
        statuses = given.get("by_status", True)
        if statuses is True:
            statuses = {DEFAULT_STATUSES: {}}
        rules = [
            (checked(p), strategy_of(s, f"by_status[{p!r}]")) for p, s in (statuses or {}).items()
        ]
        return cls(
            [(pattern, found) for pattern, found in rules if found is not None],
            strategy_of(given.get("connection_error", True), "connection_error"),
            strategy_of(given.get("timeout", True), "timeout"),
        )

    def strategy_for(self, response: httpx.Response) -> Strategy | None:
        """The first whose pattern has the status and whose filter accepts the body."""
        return next(
            (
                strategy
                for pattern, strategy in self.by_status
                if any(covers(part, response.status_code) for part in pattern.split(","))
                and accepts(strategy, response)
            ),
            None,
        )

    def strategy_after(self, error: httpx.TransportError) -> Strategy | None:
        return self.timeout if isinstance(error, httpx.TimeoutException) else self.connection_error


def strategy_of(given: object, where: str) -> Strategy | None:
    """The strategy of one rule: True for the default, False for none, or what a dict states."""
    if isinstance(given, bool):
        return DEFAULT if given else None
    if not isinstance(given, Mapping):
        raise InvalidOption(
            "retry", f"retry.{where} is a dict or True or False; got {given!r:.80}."
        )
    options = dict(given)
    kind, body_filter = options.pop("strategy", "backoff"), options.pop("body_filter", None)
    if kind == "headers":
        return headers_of(options, where, body_filter)
    if kind != "backoff":
        raise InvalidOption("retry", f"retry.{where} is backoff or headers; got {kind!r:.40}.")
    return Backoff(as_policy(options), body_filter)


def headers_of(options: dict[str, Any], where: str, body_filter: Any) -> Headers:
    reset, form = (
        options.pop("reset_header", None),
        options.pop("reset_format", "unix_timestamp_in_ms"),
    )
    for informative in ("limit_header", "remaining_header"):
        options.pop(informative, None)
    if not isinstance(reset, str) or form not in FORMATS:
        raise InvalidOption(
            "retry",
            f"retry.{where} needs a reset_header, and a reset_format of {', '.join(FORMATS)}; "
            f"got {reset!r:.40} and {form!r:.40}.",
        )
    policy = {"max_attempts": MOST_TRIES} | options
    return Headers(reset, form, as_policy(policy), body_filter)


def checked(pattern: object) -> str:
    """A pattern of statuses, if it is one. Raises InvalidOption."""
    text = str(pattern).replace(" ", "").lower()
    parts = text.split(",")
    if all(part == "all" or len(bounds(part)) == 2 for part in parts):
        return text
    raise InvalidOption(
        "retry",
        f"A status pattern is as 429, 5xx, 50x, 500-599, 408,409 or all; got {pattern!r:.40}.",
    )


def accepts(strategy: Strategy, response: httpx.Response) -> bool:
    """Whether the strategy's filter accepts the answer's JSON body."""
    if strategy.body_filter is None:
        return True
    try:
        return filters.matches(strategy.body_filter, response.json())
    except (json.JSONDecodeError, UnicodeDecodeError):
        return False
