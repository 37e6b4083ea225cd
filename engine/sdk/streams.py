"""`streams`: what a run gives out while it executes, and what it is sent (features.md RT-5, RT-6)."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args, overload

from engine.runtime import TokenWish, installed
from engine.sdk import values
from engine.sdk.context import Context, current
from engine.sdk.durable import here, is_repeating
from engine.sdk.errors import UnsupportedValue
from engine.sdk.lengths import Duration, length_of
from engine.sdk.replay import Replay
from engine.sdk.results import TokenResult
from engine.sdk.tokens import Token
from engine.sdk.values import payload_text
from engine.sdk.waits import wait
from runs import conf
from runs.errors import InvalidOption
from runs.states import EntryKind, EntryStatus

T = TypeVar("T")
#: Whose stream: the run's own, its parent's, its root's. A run without one of these means its own.
Target = Literal["self", "parent", "root"]
LONGEST_KEY = 128


class StreamWriter:
    """Writes to one stream of the run that executes, or of its parent or root."""

    def __init__(self, key: str, target: Target = "self") -> None:
        self._key, self._target = key, target

    def write(self, chunk: Any) -> None:
        """Append one chunk: any value with a JSON form."""
        streams.append(self._key, chunk, target=self._target)


class Streams:
    """Values a run gives out one by one while it executes, and values it is sent.

    Everybody who may read the run can follow them: from their beginning, from any chunk on, and after
    its end. Chunks are stored within a second, in their order. Outside of a run nothing is written. A
    body that comes back from a wait does not append again what it appended before; a new attempt goes
    on behind the chunks of the last one.

    Example:
        streams.append("progress", {"done": 3})
        for token in streams.pipe("answer", model.generate(prompt)):
            text += token
        with streams.writer("rows") as rows:
            rows.write(row)
        streams.append("progress", {"part": 3}, target="parent")  # or "root"
        decision = streams.input("approval", timeout="1d")  # .ok, .output, .unwrap()
    """

    def append(self, key: str, chunk: Any, *, target: Target = "self") -> None:
        """Append one chunk: any value with a JSON form. Raises InvalidOption for what has none."""
        text = chunk_text(checked(key), chunk)
        checked_target(target)
        context = current()
        if context is not None and not is_repeating():
            context._streams.append(key, text, owner_of(context, target))

    def writer(self, key: str, *, target: Target = "self") -> AbstractContextManager[StreamWriter]:
        """A block whose chunks are stored when it is left."""
        return written(checked(key), checked_target(target))

    @overload
    def pipe(
        self, key: str, source: AsyncIterable[T], *, target: Target = ...
    ) -> AsyncIterator[T]: ...
    @overload
    def pipe(self, key: str, source: Iterable[T], *, target: Target = ...) -> Iterator[T]: ...
    def pipe(self, key: str, source: Any, *, target: Target = "self") -> Any:
        """Append every item of an iterable, plain or async, as it passes through.

        Nothing is read, and nothing appended, until somebody iterates over what this returns.
        """
        piped = piped_async if isinstance(source, AsyncIterable) else piped_plain
        return piped(checked(key), source, checked_target(target))

    def flush(self) -> None:
        """Store what is waiting, now."""
        context = current()
        if context is not None:
            context._streams.flush()

    def input(self, key: str, *, timeout: Duration | datetime | None = None) -> TokenResult:
        """Wait for the next message somebody sends to this input of the run; each is had once.

        The run leaves its worker until it comes, as with `wait.for_token`. What was sent before it was
        waited for is kept. In an async task: `await streams.input(...)`.
        """
        replay, context = here("streams.input()"), current()
        had = {} if context is None else context._inputs
        token = expected(replay, checked(key), had.get(key, 0), timeout)
        result = wait.for_token(token)
        # what came too late for this call is for the next one
        had[key] = had.get(key, 0) + result.ok
        return result


streams = Streams()


def expected(replay: Replay, key: str, number: int, timeout: Duration | datetime | None) -> Token:
    """The token of a message: the same one whenever the body comes here."""
    call = replay.call(EntryKind.TOKEN, f"input {key}")
    if call.entry is not None:
        return Token.of_record(call.entry.result or "{}")
    length = timeout if isinstance(timeout, datetime) else length_of(timeout, "timeout")
    wish = TokenWish(timeout=length, run_id=replay.run_id)
    made = Token(*installed().streams.expect(key, number, wish))
    replay.record(call.made(EntryStatus.DONE, result=payload_text(vars(made))))
    return made


@contextmanager
def written(key: str, target: Target) -> Iterator[StreamWriter]:
    try:
        yield StreamWriter(key, target)
    finally:
        streams.flush()


def piped_plain(key: str, source: Iterable[T], target: Target) -> Iterator[T]:
    for item in source:
        streams.append(key, item, target=target)
        yield item


async def piped_async(key: str, source: AsyncIterable[T], target: Target) -> AsyncIterator[T]:
    async for item in source:
        streams.append(key, item, target=target)
        yield item


def owner_of(context: Context, target: Target) -> str | None:
    """The run whose stream is meant; None for the one that executes."""
    run = context.run
    return {"parent": run.parent_task_run_id, "root": run.root_task_run_id}.get(target)


def checked_target(target: Any) -> Target:
    if target in get_args(Target):
        return target  # type: ignore[no-any-return]
    raise InvalidOption("target", f"target is self, parent or root; got {target!r:.80}.")


def chunk_text(key: str, chunk: Any) -> str:
    """The chunk as JSON text. Raises InvalidOption when there is none or it is too large."""
    try:
        return values.dumps(chunk, conf.get("STREAM_CHUNK_LIMIT"))
    except UnsupportedValue as error:
        raise InvalidOption("chunk", f"A chunk of the stream “{key}”: {error}") from error


def checked(key: object) -> str:
    if isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and key.isprintable():
        return key
    raise InvalidOption(
        "key",
        f"A stream's key is printable text of 1 to {LONGEST_KEY} characters; got {key!r:.80}.",
    )
