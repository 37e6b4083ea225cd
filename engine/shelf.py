"""The stream shelf over `runs.lifecycle`."""

from dataclasses import asdict, replace

from engine.runtime import Minted, Part, TokenWish
from engine.sdk.blocking import blocking
from runs.lifecycle import streams, tokens
from runs.lifecycle.streams import Writer
from runs.states import TokenStatus


class StoredStreams:
    """Streams in the database."""

    @blocking()
    def append(self, run_id: str, attempt: int, part: Part) -> None:
        if part.owner is None:
            writer = Writer(part.writer, part.before, attempt)
            streams.append(run_id, part.key, part.chunks, writer=writer)
        else:
            writer = Writer(part.writer, part.before)
            streams.append_for(run_id, attempt, part.owner, part.key, part.chunks, writer=writer)

    @blocking()
    def expect(self, key: str, number: int, wish: TokenWish) -> Minted:
        run_id = wish.run_id or ""
        asked = asdict(replace(wish, own_key=streams.awaiting(run_id, key, number)))
        token, is_cached = tokens.create(**asked)
        if token.status in (
            TokenStatus.TIMED_OUT,
            TokenStatus.FAILED,
        ):  # an earlier call gave this message up
            tokens.release(token)
            token, is_cached = tokens.create(**asked)
        # committed before the look, as the one who sends does: one of them sees the other
        streams.offer(run_id, key, number, token.pk)
        return Minted(token.pk, tokens.url(token.pk), is_cached)
