"""Where the time of a run went: executing, waiting, between attempts, in the queue."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from runs.reads.intervals import Interval, union, without
from runs.reads.trace_nodes import Node
from runs.states import RunStatus

#: Intervals of one bar; more are one.
MOST = 200


@dataclass(frozen=True, slots=True)
class Times:
    """The stretches of a trace by what the run did in them."""

    executing: list[Interval]
    waiting: list[Interval]
    resting: list[Interval]
    queued: list[Interval]
    #: In which neither the run nor a child of it executes.
    idle: list[Interval]
    #: By the number of the attempt.
    by_attempt: dict[int, list[Interval]]


def of(nodes: Iterable[Node], now: datetime) -> Times:
    """The times of the trace that `nodes` are all of, the root first."""
    rows = list(nodes)
    root = rows[0]
    whole = (root.started_at, max(node.ended_at or now for node in rows))
    own = {node.attempt: span(node, now) for node in rows if node.kind == "attempt"}
    waits = [span(node, now) for node in rows if node.is_awaited]
    by_attempt = {number: without([one], waits)[:MOST] for number, one in own.items()}
    executing = union(one for some in by_attempt.values() for one in some)
    resting = [
        (node.ended_at, node.rests_until) for node in rows if node.ended_at and node.rests_until
    ]
    queued = [span(node, now) for node in rows if node.kind == "queue"]
    busy = [*executing, *children(rows, now), *afterwards(rows, own, now)]
    return Times(
        executing=executing,
        waiting=without(waits, executing),
        resting=union(resting),
        queued=union(queued),
        idle=without([whole], busy),
        by_attempt=by_attempt,
    )


def span(node: Node, now: datetime) -> Interval:
    return node.started_at, max(node.ended_at or now, node.started_at)


def children(rows: Iterable[Node], now: datetime) -> Iterator[Interval]:
    """While child runs execute; those that wait themselves execute nothing."""
    for node in rows:
        if node.kind == "child" and node.begun_at and node.status != RunStatus.WAITING:
            yield node.begun_at, max(node.ended_at or now, node.begun_at)


def afterwards(
    rows: Iterable[Node], attempts: dict[int, Interval], now: datetime
) -> Iterator[Interval]:
    """What was recorded outside the attempts: hooks that ran when all was over."""
    for node in rows:
        attempt = attempts.get(node.attempt)
        if node.kind == "hook" and (attempt is None or node.started_at >= attempt[1]):
            yield span(node, now)
