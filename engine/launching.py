"""The runtime over `runs.lifecycle`: launches from code become stored runs."""

import json
from collections.abc import Sequence
from typing import Any

from engine.desk import StoredDesk
from engine.runtime import Batched, BatchWish, Changes, Launch, Launched, Minted, TokenWish, Used
from engine.scheduling import StoredSchedules
from engine.sdk.blocking import blocking
from engine.shelf import StoredStreams
from runs import conf, lifecycle
from runs.errors import InvalidOption, PayloadTooLarge
from runs.lifecycle import Triggered, TriggerItem, TriggerOptions, batches, tokens
from runs.lifecycle.options import IDEMPOTENCY_TTL
from runs.models import Source, Waitpoint
from runs.reads import batches as batch_reads
from runs.reads import usage
from runs.states import TokenStatus


class StoredRuns:
    """Makes runs in the database, in the caller's transaction if there is one (DEC-14)."""

    schedules = StoredSchedules()
    desk = StoredDesk()
    streams = StoredStreams()

    def trigger(self, launch: Launch) -> Launched:
        return self.trigger_many([launch])[0]

    @blocking()
    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        """Launches of one call are of one task, so all or none of them are validated."""
        items = items_of(launches)
        validated = all(launch.validated for launch in launches)
        batch_id = items[0].options.batch_id if items else None
        if batch_id is None:
            made = lifecycle.trigger_many(items, source=Source.SDK, validated=validated)
        else:
            done = batches.trigger(items, batch_id, source=Source.SDK, validated=validated)
            made = done.runs
        return [launched(run) for run in made]

    @blocking()
    def trigger_batch(self, launches: Sequence[Launch], wish: BatchWish) -> Batched:
        done = batches.trigger(
            items_of(launches),
            wish.id,
            key=wish.key,
            key_ttl=IDEMPOTENCY_TTL if wish.key_ttl is None else wish.key_ttl,
            source=Source.SDK,
            validated=all(launch.validated for launch in launches),
        )
        return Batched(done.batch_id, [launched(run) for run in done.runs], done.is_cached)

    @blocking()
    def retrieve_batch(self, batch_id: str) -> dict[str, Any]:
        return batch_reads.described(batch_reads.find(batch_id))

    @blocking()
    def create_token(self, wish: TokenWish) -> Minted:
        token, is_cached = tokens.create(
            timeout=wish.timeout,
            key=wish.key,
            key_ttl=wish.key_ttl,
            tags=wish.tags,
            schema=wish.schema,
            run_id=wish.run_id,
            own_key=wish.own_key,
        )
        return Minted(token.pk, tokens.url(token.pk), is_cached)

    @blocking()
    def complete_token(self, token_id: str, data: str | None, by: str) -> None:
        tokens.complete(token_id, data, by=by)

    @blocking()
    def retrieve_token(self, token_id: str) -> dict[str, Any]:
        return described(tokens.find(token_id))

    @blocking()
    def list_tokens(
        self, status: str | None, tags: tuple[str, ...], limit: Any
    ) -> list[dict[str, Any]]:
        if status is not None and status not in TokenStatus.values:
            known = ", ".join(TokenStatus.values)
            raise InvalidOption("status", f"status is one of {known}; got {status!r:.40}.")
        if not isinstance(limit, int) or limit < 1:
            raise InvalidOption("limit", f"limit is a whole number from 1; got {limit!r:.40}.")
        found = Waitpoint.objects.tagged(tags).newest_first()
        if status is not None:
            found = found.filter(status=status)
        return [described(token) for token in found[:limit]]

    def update_metadata(self, run_id: str, changes: Changes) -> dict[str, Any]:
        return lifecycle.update_metadata(
            run_id, changes.own, parent=changes.parent, root=changes.root
        )

    def add_tags(self, run_id: str, tags: Sequence[str]) -> None:
        lifecycle.add_tags(run_id, tags)

    def usage(self, run_id: str, attempt: int) -> Used:
        return Used(*usage.of(run_id, attempt))


def items_of(launches: Sequence[Launch]) -> list[TriggerItem]:
    """What to make; an error of one of several names its position."""
    items = []
    for index, launch in enumerate(launches):
        try:
            items.append(item_of(launch))
        except PayloadTooLarge as error:
            error.args = (f"Item {index}: {error}",) if len(launches) > 1 else error.args
            raise
    return items


def item_of(launch: Launch) -> TriggerItem:
    limit = conf.get("PAYLOAD_LIMIT")
    if launch.payload is not None and len(launch.payload) > limit:
        size = len(launch.payload)
        raise PayloadTooLarge(
            f"Task “{launch.task_id}”: the payload has {size:,} bytes; the limit is {limit:,}."
        )
    return TriggerItem(
        task_id=launch.task_id, payload=launch.payload, options=TriggerOptions(**launch.options)
    )


def launched(run: Triggered) -> Launched:
    return Launched(run.run_id, run.is_cached, run.is_skipped, run.is_held)


def described(token: Waitpoint) -> dict[str, Any]:
    """A token as plain values."""
    return {
        "id": token.pk,
        "url": tokens.url(token.pk),
        "status": str(token.status),
        "output": None if token.output is None else json.loads(token.output),
        "tags": token.tag_list,
        "idempotency_key": token.idempotency_key,
        "created_at": token.created_at,
        "timeout_at": token.timeout_at,
        "completed_at": token.completed_at,
    }
