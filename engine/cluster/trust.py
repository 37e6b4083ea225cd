"""How long a cluster may take its runs for its own.

One that is cut off from the database cannot know whether it was declared lost. The answers of its
runs are fenced, so they go on: an outage of the database takes nothing away. But a run whose queue
has a limit could be beside another that was started in its place, so it is stopped before that.
"""

import logging
import time
from collections.abc import Iterable
from zlib import crc32

from django.db.models import Q

from engine.cluster.board import Ask, Board, Head
from engine.cluster.limits import ask
from engine.cluster.slots import LIMITED, State
from runs import conf
from runs.models import Queue

log = logging.getLogger("trackside")

SECOND = 1_000_000_000
#: Of the lease: time for bodies to stop, and for a message that was long under way.
MARGIN = 1 / 6
HAS_LIMIT = (
    Q(concurrency_limit__isnull=False)
    | Q(total_limit__isnull=False)
    | Q(override_limit__isnull=False)
    | Q(override_total__isnull=False)
)


def number_of(queue: str) -> int:
    """What stands on the board for a queue, 0 for none; two may share one."""
    return crc32(queue.encode()) % (LIMITED * 8 - 1) + 1


def note_limits(head: Head) -> None:
    """Write down which queues have a limit."""
    mark(head, Queue.objects.filter(HAS_LIMIT).values_list("name", flat=True))


def mark(head: Head, queues: Iterable[str]) -> None:
    bits = bytearray(LIMITED)
    for queue in queues:
        byte, bit = divmod(number_of(queue), 8)
        bits[byte] |= 1 << bit
    head.limited[:] = list(bits)


def is_limited(head: Head, number: int) -> bool:
    byte, bit = divmod(number, 8)
    return bool(head.limited[byte] >> bit & 1)


def renew(head: Head, asked_at: int) -> None:
    """The session was renewed by a statement that was sent then (CLOCK_MONOTONIC nanoseconds)."""
    head.sure_until = asked_at + int(float(conf.get("LEASE_SECONDS")) * (1 - MARGIN) * SECOND)


def stop_unsure(board: Board) -> None:
    """Called by who needs no database: runs of limited queues leave before another may begin."""
    head = board.head
    if time.monotonic_ns() < head.sure_until or head.fenced:
        return
    for seat in board.taken:
        token = seat.token
        if seat.state == State.RUNNING and not seat.is_asked and is_limited(head, seat.queue):
            log.error(
                "The database has not been reached for a lease: run %s is stopped, its queue has a "
                "limit.",
                seat.run_id,
            )
            ask(seat, Ask.SHUTDOWN, token)
