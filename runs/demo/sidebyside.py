"""Copying in several threads, each with a connection and a part of the time of its own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import SimpleQueue
from threading import Event

from django.db import connection

#: As many keep a server and this process busy; more of them meet at the same pages.
THREADS = 2
Work = Callable[[int, Iterator[datetime]], Iterator[int]]


def in_threads(work: Work, moments: Sequence[datetime]) -> Iterator[int]:
    """What `work` makes of the moments, as it comes; whoever stops waiting stops it too."""
    if connection.in_atomic_block:  # nobody else sees what this connection wrote
        yield from work(0, iter(moments))
        return
    told: SimpleQueue[int] = SimpleQueue()
    stop = Event()
    share = -(-len(moments) // THREADS)
    parts = [moments[start : start + share] for start in range(0, len(moments), share)]
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            made = [pool.submit(_one, work, n, part, told, stop) for n, part in enumerate(parts)]
            left = len(made)
            while left:
                count = told.get()
                left -= count < 0
                yield max(count, 0)
        finally:
            stop.set()
        for one in made:
            one.result()


def _one(
    work: Work, number: int, moments: Sequence[datetime], told: "SimpleQueue[int]", stop: Event
) -> None:
    try:
        for count in work(number, iter(moments)):
            told.put(count)
            if stop.is_set():
                return
    finally:
        connection.close()
        told.put(-1)
