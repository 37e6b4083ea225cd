"""What is known about errors that many people meet: one sentence on where to look."""

import re
from collections.abc import Iterable

from dashboard.pages.tracebacks import Failure

#: (what the name, or the name and the message, look like; what is known of it)
HINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (
            r"ModuleNotFoundError|ImportError",
            "The workers' environment lacks it, or runs other code than yours: compare the version above with "
            "the Workers page.",
        ),
        (
            r"\.DoesNotExist\b|^DoesNotExist",
            "If the caller made the row just before: trigger inside its transaction, then the run starts after "
            "the commit.",
        ),
        (
            r"OutOfMemory|MemoryError",
            "It needs a larger machine: `machine=` at the task, or `out_of_memory=` to retry on one.",
        ),
        (
            r"ConnectionRefused|ConnectionReset|Name or service not known|Temporary failure in name",
            "The other side was away. Retries with a longer `max_timeout` outlast it.",
        ),
        (
            r"Timeout|timed out",
            "Something did not answer in time. `retry.on_throw` repeats that call alone, not the whole attempt.",
        ),
        (r"database is locked", "Another writer held the database. Keep transactions short."),
        (
            r"SynchronousOnlyOperation",
            "An `async def` task called the ORM without `a…` methods or `sync_to_async`.",
        ),
        (
            r"TooManyRequests|\b429\b|rate limit",
            "The other side limits requests: give the queue a `rate_limit`, and starts are spaced exactly.",
        ),
        (
            r"not JSON serializable",
            "Outputs and step results are JSON: return plain values, or a pydantic model.",
        ),
        (
            r"ValidationError|InvalidPayload",
            "The payload does not fit the task's schema any more. Replay it with a corrected one.",
        ),
    )
)


def hint(failure: Failure | None) -> str:
    """The sentence for a failure or one of its causes; empty where nothing is known."""
    if failure is None:
        return ""
    for one in _with_causes(failure):
        text = f"{one.name}: {one.message[:1000]}"
        for pattern, sentence in HINTS:
            if pattern.search(text):
                return sentence
    return ""


def _with_causes(failure: Failure) -> Iterable[Failure]:
    yield failure
    for cause in failure.causes:
        yield from _with_causes(cause)
