"""What a run gives out while it executes, chunk by chunk, and what it is sent (features.md RT-5, RT-6)."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from runs import conf
from runs.errors import InvalidOption, NotFound, PayloadTooLarge, RunClosed
from runs.lifecycle import tokens
from runs.models import Run, Stream, StreamChunk, Waitpoint
from runs.states import FINAL, LEASED, RunStatus

KEY = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")
LINE_ENDS = {10: " ", 13: " "}
#: Streams of one run, and writers remembered of one stream.
MOST_STREAMS, MOST_WRITERS, LONGEST_WRITER = 100, 20, 100
#: What storing a chunk takes beside its text.
OVERHEAD = 64


class Writer(NamedTuple):
    """Who appends, and how many chunks of it were sent before these. `attempt` if a body does."""

    name: str
    before: int = 0
    attempt: int | None = None


class StreamClosed(RunClosed):
    """The run has ended, or the attempt that writes is not the one that executes."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


def append(run_id: str, key: str, chunks: Sequence[str], *, writer: Writer | None = None) -> int:
    """Append chunks of JSON text to a stream of an open run; how many the stream has then.

    What a `writer` sent before is not stored twice. All or none. Raises NotFound, StreamClosed,
    InvalidOption, PayloadTooLarge.
    """
    _check(key, chunks, writer)
    with transaction.atomic():
        run = _open_run(run_id, writer.attempt if writer else None)
        stream = _locked(run, key, is_input=False)
        taken = stream.taken.get(writer.name, 0) if writer else 0
        new = list(chunks[max(0, taken - writer.before) :] if writer else chunks)
        if new:
            sent = max(taken, writer.before + len(chunks)) if writer else 0
            _store(stream, new, writer.name if writer else "", sent)
        return stream.count


def append_for(
    run_id: str, attempt: int, owner: str, key: str, chunks: Sequence[str], *, writer: Writer
) -> int:
    """The same for a run that writes to a stream of another one, of its parent or root."""
    with transaction.atomic():
        count = append(owner, key, chunks, writer=writer)
        # not locked: nobody locks a child while he has its parent
        run = Run.objects.only("status", "attempt_number").filter(pk=run_id).first()
        if run is None or not _executes(run, attempt):
            raise StreamClosed(f"Attempt {attempt} does not execute any more.")
        return count


def taken(run_id: str, key: str, writer: str) -> int:
    """How many chunks of a writer are stored."""
    stream = Stream.objects.filter(run_id=run_id, is_input=False, key=key).first()
    return stream.taken.get(writer, 0) if stream else 0


def send(run_id: str, key: str, text: str, *, by: str) -> int:
    """Send JSON text to an input of an open run; its number there. A run that waits for it goes on.

    Raises NotFound, StreamClosed, InvalidOption, PayloadTooLarge.
    """
    text = line_of(text)
    _check(key, [text], None)
    with transaction.atomic():
        stream = _locked(_open_run(run_id, None), key, is_input=True)
        _store(stream, [text])
        number = stream.count - 1
    # committed before the look, as the one who waits does: one of them sees the other
    waiting = Waitpoint.objects.filter(key_hash=tokens.own_hash(awaiting(run_id, key, number)))
    for token_id in waiting.values_list("id", flat=True):
        tokens.complete(token_id, text, by=by)
    return number


def offer(run_id: str, key: str, number: int, token_id: str) -> None:
    """Complete a token that waits for a message which is here already."""
    found = StreamChunk.objects.filter(run_id=run_id, is_input=True, key=key, number=number)
    text = found.values_list("text", flat=True).first()
    if text is not None:
        tokens.complete(token_id, text, by="stream")


def awaiting(run_id: str, key: str, number: int) -> str:
    """What a run calls the token with which it waits for a message."""
    return f"{run_id}-input-{number}-{key}"


def _check(key: str, chunks: Sequence[str], writer: Writer | None) -> None:
    if KEY.fullmatch(key) is None:
        raise InvalidOption("key", f"A stream's key has 1 to 128 characters; got {key!r:.80}.")
    if writer is not None and not 1 <= len(writer.name) <= LONGEST_WRITER:
        raise InvalidOption("writer", f"A writer's name has 1 to {LONGEST_WRITER} characters.")
    limit = int(conf.get("STREAM_CHUNK_LIMIT"))
    largest = max(map(len, chunks), default=0)
    if largest > limit:
        raise PayloadTooLarge(f"A chunk has {largest:,} bytes; the limit is {limit:,}.")


def _open_run(run_id: str, attempt: int | None) -> Run:
    columns = ("status", "attempt_number")
    rows = Run.objects.only(*columns).select_for_update()
    run = rows.filter(pk=run_id.replace("\x00", "")).first()
    if run is None:
        raise NotFound(f"There is no run {run_id[:60]}.")
    if run.status in FINAL:
        raise StreamClosed("The run has ended; its streams are closed.")
    if attempt is not None and not _executes(run, attempt):
        raise StreamClosed(f"Attempt {attempt} does not execute any more.")
    return run


def _executes(run: Run, attempt: int) -> bool:
    """An attempt whose start is recorded later has its number then."""
    ahead = 1 if run.status == RunStatus.DEQUEUED else 0
    return run.status in LEASED and run.attempt_number + ahead == attempt


def _locked(run: Run, key: str, *, is_input: bool) -> Stream:
    place = {"run_id": run.pk, "is_input": is_input, "key": key}
    rows = Stream.objects.select_for_update()
    found = rows.filter(**place).first()
    if found is not None:
        return found
    if Stream.objects.filter(run_id=run.pk).count() >= MOST_STREAMS:
        raise InvalidOption("key", f"A run has at most {MOST_STREAMS} streams.")
    now = timezone.now()
    Stream.objects.bulk_create([Stream(**place, created_at=now)], ignore_conflicts=True)
    # subscribers learn of a new stream by the run
    Run.objects.filter(pk=run.pk).update(updated_at=now)
    return rows.get(**place)


def _store(stream: Stream, chunks: Sequence[str], writer: str = "", sent: int = 0) -> None:
    size = sum(len(text) + OVERHEAD for text in chunks)
    _check_size(stream, size)
    now, first = timezone.now(), stream.count
    place = {"run_id": stream.run_id, "is_input": stream.is_input, "key": stream.key}
    StreamChunk.objects.bulk_create(
        (
            StreamChunk(**place, number=first + index, text=text, at=now)
            for index, text in enumerate(chunks)
        ),
        batch_size=500,
    )
    stream.count += len(chunks)
    stream.size += size
    if writer:
        others = [pair for pair in json.loads(stream.writers) if pair[0] != writer]
        stream.writers = json.dumps([*others, [writer, sent]][-MOST_WRITERS:])
    changes: dict[str, Any] = {"count": stream.count, "size": stream.size}
    Stream.objects.filter(**place).update(**changes, writers=stream.writers)


def _check_size(stream: Stream, more: int) -> None:
    limits = {"STREAM_LIMIT": stream.size, "RUN_STREAMS_LIMIT": 0}
    of_run = Stream.objects.filter(run_id=stream.run_id).aggregate(all=Sum("size"))
    limits["RUN_STREAMS_LIMIT"] = of_run["all"] or 0
    for name, size in limits.items():
        if size + more > int(conf.get(name)):
            whose = "The stream" if name == "STREAM_LIMIT" else "All streams of the run together"
            raise PayloadTooLarge(f"{whose} would be larger than {int(conf.get(name)):,} bytes.")


def line_of(text: str) -> str:
    """JSON text on one line, as events carry it: line ends in it stand between its values only."""
    return text.translate(LINE_ENDS).strip()
