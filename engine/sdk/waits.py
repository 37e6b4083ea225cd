"""`wait`: leaving the worker until a time, an event or the end of other runs (features.md 11)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from django.utils import timezone

from engine.runtime import TokenWish, installed
from engine.sdk.awaiting import Awaiting, is_awaited
from engine.sdk.calls import Call
from engine.sdk.durable import active, here
from engine.sdk.handles import Handle
from engine.sdk.lengths import Duration, check_moment, length_of, total
from engine.sdk.options import tag_tuple
from engine.sdk.pauses import apause, rest
from engine.sdk.replay import Replay
from engine.sdk.results import First, Over, Result, TokenResult, run_result, token_result
from engine.sdk.schemas import schema_of
from engine.sdk.tokens import Token, token_id
from engine.sdk.values import payload_text
from runs.errors import InvalidOption
from runs.journal import Entry, Pause, Target
from runs.states import EntryKind, EntryStatus

R = TypeVar("R")
#: Waits shorter than this many seconds stay in the worker: leaving and coming back takes longer.
SHORT = 1.0
Source = Handle[Any] | Token


class Waits:
    """Waits without a process: the run leaves its worker and its slot, and comes back to this line.

    Its function then runs again from the top, and what it did before answers from the run's
    journal. Put effects into `step(...)`, so that they are not repeated.

    Example:
        wait(hours=1)                     # or wait("1h"), wait(3600), wait(timedelta(hours=1))
        wait.until(invoice.due)
        token = wait.create_token(timeout="7d", tags="approval")
        decision = wait.for_token(token)  # .ok, .output, .unwrap()
        await wait(minutes=5)             # in an async task
    """

    def __call__(self, duration: Duration | None = None, /, **parts: float) -> Over:
        """Wait for a duration: seconds, text like "1h30m", a timedelta, or one of `seconds=`,
        `minutes=`, `hours=`, `days=`, `weeks=`, `months=` (30 days), `years=` (365 days).
        """
        length = total(duration, parts)
        replay = here("wait()")
        call = replay.call(EntryKind.WAIT, "", f"{length:g} s")
        return over(call, timezone.now() + timedelta(seconds=length))

    def until(self, moment: datetime, *, raise_if_past: bool = False) -> Over:
        """Wait until a moment with a time zone; one that has passed is over at once."""
        check_moment(moment)
        call = here("wait.until()").call(EntryKind.WAIT, "until")
        if raise_if_past and call.entry is None and moment <= timezone.now():
            raise InvalidOption("moment", f"wait.until() was given the past: {moment.isoformat()}.")
        return over(call, moment)

    def for_token(self, token: Token | str) -> TokenResult:
        """Wait until a token is completed, fails or times out; several runs may wait for one token."""
        replay, wanted = here("wait.for_token()"), token_id(token)
        pairs: list[Pair] = [(replay.call(EntryKind.FOR, wanted), token)]
        return ended(replay, pairs, lambda found: token_result(wanted, found[0]))

    def all(self, sources: Iterable[Source]) -> list[Result[Any] | TokenResult]:
        """Wait until all of these runs (handles of `trigger`) and tokens ended; in their order."""
        replay, pairs = paired("wait.all()", sources)
        return ended(replay, pairs, partial(results, pairs))

    def any(self, sources: Iterable[Source]) -> First:
        """Wait for the first of these runs (handles of `trigger`) and tokens to end.

        Which one was first is remembered. The others go on.
        """
        replay, pairs = paired("wait.any()", sources)
        if not pairs:
            raise InvalidOption("sources", "wait.any() needs something to wait for.")
        choice = replay.call(EntryKind.FIRST, "")
        if choice.entry is not None:
            index = int(choice.entry.result or 0)
            found = replay.look([target_of(pairs[index][1])])
            return First(index, result_of(pairs[index][1], *found.values()))
        return first(replay, pairs, choice)

    def create_token(
        self,
        *,
        timeout: Duration | datetime | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Iterable[str] = (),
        schema: Any = None,
    ) -> Token:
        """Make a wait token; anywhere. Without a timeout it never expires.

        `token.url` completes it by POST from outside, and shows people a page with a form: from
        `schema` (a type pydantic can validate, or a JSON Schema), else approve and reject.
        """
        replay = None if active() is None else here("wait.create_token()")
        wish = TokenWish(
            timeout=timeout if isinstance(timeout, datetime) else length_of(timeout, "timeout"),
            key=idempotency_key,
            key_ttl=length_of(idempotency_key_ttl, "idempotency_key_ttl"),
            tags=tag_tuple(tags, "A token"),
            schema="" if schema is None else schema_of(schema, None).json_schema(),
            run_id=None if replay is None else replay.run_id,
        )
        return Token(*installed().create_token(wish)) if replay is None else minted(replay, wish)

    def complete_token(self, token: Token | str, data: Any = None) -> None:
        """Complete a token; anywhere. Of several completions the first counts."""
        by = f"run:{replay.run_id}" if (replay := active()) else ""
        installed().complete_token(token_id(token), payload_text(data), by)

    def retrieve_token(self, token: Token | str) -> dict[str, Any]:
        """How a token stands: id, url, status, output, tags and its times; anywhere."""
        return installed().retrieve_token(token_id(token))

    def list_tokens(
        self, *, status: str | None = None, tags: str | Iterable[str] = (), limit: int = 100
    ) -> list[dict[str, Any]]:
        """Tokens, newest first, by status (WAITING, COMPLETED, TIMED_OUT, FAILED) and any of `tags`."""
        return installed().list_tokens(status, tag_tuple(tags), limit)


wait = Waits()


def over(call: Call, due: datetime) -> Over:
    """Return once it is `due`, or when it was when this wait was first reached."""
    entry = call.entry
    if entry is not None and entry.due_at is not None:
        due = entry.due_at
    left = (due - timezone.now()).total_seconds()
    longest = SHORT if call.replay.may_block or is_awaited() else 0.0
    if entry is None and left > 0:
        entry = call.made(EntryStatus.PENDING, due_at=due)
        if left >= longest:
            return call.replay.outlast(Pause(reason="", due=due, entries=(entry,)), Over)
        call.replay.record(entry)
    elif left > 0 and left >= longest:
        return call.replay.outlast(Pause(reason="", due=due, entries=call.attached()), Over)
    return Over() if left <= 0 else rested(call.replay, left)


def rested(replay: Replay, delay: float) -> Over:
    """Return after a short time, in which the run keeps its place."""
    if not replay.may_block:
        return cast("Over", Awaiting(partial(apause, delay), Over))
    rest(delay)
    return Over()


def minted(replay: Replay, wish: TokenWish) -> Token:
    """A token made in a body: the same one whenever the body comes here."""
    call = replay.call(EntryKind.TOKEN, "")
    if call.entry is None:
        own_key = f"{replay.run_id}-{call.ordinal}"
        made = Token(*installed().create_token(replace(wish, own_key=own_key)))
        replay.record(call.made(EntryStatus.DONE, result=payload_text(vars(made))))
        return made
    return Token.of_record(call.entry.result or "{}")


Pair = tuple[Call, Source | str]


def paired(what: str, sources: Iterable[Source]) -> tuple[Replay, list[Pair]]:
    replay = here(what)
    pairs: list[Pair] = []
    for source in listed(what, sources):
        if not isinstance(source, (Handle, Token)):
            raise InvalidOption(
                "sources",
                f"{what} takes handles of trigger() and wait tokens; got {source!r:.80}. "
                "batch_trigger_and_wait([...]) triggers many runs and waits for them.",
            )
        pairs.append((replay.call(EntryKind.FOR, target_of(source)), source))
    return replay, pairs


def listed(what: str, sources: Any) -> list[Any]:
    if isinstance(sources, (str, bytes, Mapping)) or not isinstance(sources, Iterable):
        raise InvalidOption(
            "sources",
            f"{what} takes a list of handles of trigger() and wait tokens; got {sources!r:.80}.",
        )
    return list(sources)


def target_of(source: Source | str) -> str:
    return source.id if isinstance(source, Handle) else token_id(source)


def looked(replay: Replay, pairs: Sequence[Pair]) -> list[Target]:
    """How they stand, the new ones refused where they could never end."""
    ids = [target_of(source) for _, source in pairs]
    new = [target for target, (call, _) in zip(ids, pairs, strict=True) if call.entry is None]
    replay.refuse_circles(new)
    found = replay.look(ids)
    for one in new:
        if not found[one].status:
            raise InvalidOption("sources", f"There is no run or wait token {one}.")
    return [found[one] for one in ids]


def ended(replay: Replay, pairs: Sequence[Pair], then: Callable[[list[Target]], R]) -> R:
    """What `then` makes of how all of them ended; until then the run waits."""
    targets = looked(replay, pairs)
    left = [found for found in targets if found.is_open]
    entries = reached(pairs)
    if left:
        pause = pause_for(left, entries, one_suffices=False)
        return replay.outlast(pause, lambda: then(standing(replay, pairs)))
    if entries:
        replay.record(*entries)
    return then(targets)


def standing(replay: Replay, pairs: Sequence[Pair]) -> list[Target]:
    """How they stand, in their order."""
    ids = [target_of(source) for _, source in pairs]
    found = replay.look(ids)
    return [found[one] for one in ids]


def results(pairs: Sequence[Pair], targets: Sequence[Target]) -> list[Result[Any] | TokenResult]:
    return [result_of(source, found) for (_, source), found in zip(pairs, targets, strict=True)]


def first(replay: Replay, pairs: Sequence[Pair], choice: Call) -> First:
    """The one that ended first; until one has, the run waits."""

    def chosen(targets: Sequence[Target]) -> First:
        done = [(found.ended_at, index) for index, found in enumerate(targets) if not found.is_open]
        index = min(done, key=lambda one: (one[0] is not None, one[0] or timezone.now(), one[1]))[1]
        replay.record(choice.made(EntryStatus.DONE, result=str(index)))
        return First(index, result_of(pairs[index][1], targets[index]))

    targets = looked(replay, pairs)
    entries = reached(pairs)
    if all(found.is_open for found in targets):
        pause = pause_for(targets, entries, one_suffices=True)
        return replay.outlast(pause, lambda: chosen(standing(replay, pairs)))
    if entries:
        replay.record(*entries)
    return chosen(targets)


def reached(pairs: Sequence[Pair]) -> tuple[Entry, ...]:
    """Entries for what is waited for now and was not before, in this attempt."""
    entries: list[Entry] = []
    for call, source in pairs:
        if call.entry is None:
            entries.append(call.made(EntryStatus.PENDING, target=target_of(source)))
        else:
            entries += call.attached()
    return tuple(entries)


def pause_for(left: Sequence[Target], entries: Sequence[Entry], *, one_suffices: bool) -> Pause:
    names = ", ".join(found.id for found in left[:3]) + (", …" if len(left) > 3 else "")
    some = "the first of " if one_suffices and len(left) > 1 else ""
    return Pause(
        reason=f"Waits for {some}{names}.",
        targets=tuple(dict.fromkeys(found.id for found in left)),
        one_suffices=one_suffices,
        entries=tuple(entries),
    )


def result_of(source: Source | str, found: Target) -> Result[Any] | TokenResult:
    if isinstance(source, Handle):
        return run_result(source.id, source.task_id, found)
    return token_result(token_id(source), found)
