"""The two clients."""

import os
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from trackside import groups
from trackside.driving import Awaiting, Blocking
from trackside.errors import TracksideError

#: Seconds a request may take.
TIMEOUT = 30.0
MAX_ATTEMPTS = 5


class Client:
    """Talks to a Trackside from threads.

    Without arguments it takes TRACKSIDE_URL and TRACKSIDE_KEY from the environment. `key` may be a
    public token. A request is tried up to `max_attempts` times where another attempt may help.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        max_attempts: int = MAX_ATTEMPTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        where, secret = connection(url, key, max_attempts)
        self.url = where
        self._driver = driver = Blocking(
            where, secret, max_attempts=max_attempts, timeout=timeout, transport=transport
        )
        self.tasks = groups.Tasks(driver)
        self.batches = groups.Batches(driver)
        self.runs = groups.Runs(driver)
        self.streams = groups.Streams(driver)
        self.schedules = groups.Schedules(driver)
        self.queues = groups.Queues(driver)
        self.tokens = groups.Tokens(driver)
        self.envvars = groups.EnvVars(driver)
        self.idempotency_keys = groups.IdempotencyKeys(driver)
        self.api_keys = groups.ApiKeys(driver)
        self.auth = groups.Auth(driver)
        self.bulk_actions = groups.BulkActions(driver)

    def close(self) -> None:
        """Close its connections."""
        self._driver.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"


class AsyncClient:
    """The same from an event loop: its methods are awaited, its lists are for `async for`."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        max_attempts: int = MAX_ATTEMPTS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        where, secret = connection(url, key, max_attempts)
        self.url = where
        self._driver = driver = Awaiting(
            where, secret, max_attempts=max_attempts, timeout=timeout, transport=transport
        )
        self.tasks = groups.AsyncTasks(driver)
        self.batches = groups.AsyncBatches(driver)
        self.runs = groups.AsyncRuns(driver)
        self.streams = groups.AsyncStreams(driver)
        self.schedules = groups.AsyncSchedules(driver)
        self.queues = groups.AsyncQueues(driver)
        self.tokens = groups.AsyncTokens(driver)
        self.envvars = groups.AsyncEnvVars(driver)
        self.idempotency_keys = groups.AsyncIdempotencyKeys(driver)
        self.api_keys = groups.AsyncApiKeys(driver)
        self.auth = groups.AsyncAuth(driver)
        self.bulk_actions = groups.AsyncBulkActions(driver)

    async def close(self) -> None:
        """Close its connections."""
        await self._driver.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"


def connection(url: str | None, key: str | None, max_attempts: int) -> tuple[str, str]:
    """The address without a slash at its end, and the key. Raises TracksideError for others."""
    where = (url or os.environ.get("TRACKSIDE_URL", "")).rstrip("/")
    secret = (key or os.environ.get("TRACKSIDE_KEY", "")).strip()
    parts = urlsplit(where)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise TracksideError(
            "Say where Trackside is: Client(url=...) or TRACKSIDE_URL, like https://runs.example.com."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise TracksideError("The address must be one without a name, a query and a fragment.")
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise TracksideError("Say the API key: Client(key=...) or TRACKSIDE_KEY.")
    if max_attempts < 1:
        raise TracksideError("max_attempts must be at least 1.")
    return where, secret
