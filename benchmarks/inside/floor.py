"""The statements of a run and nothing around them: what runs cost where no body is executed."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

from runs.lifecycle import sessions

VERSION = "bench"
TOGETHER = 32
FIRST = "SELECT run_id, token FROM trackside_claim_started($1::text, 1, $2::integer, $3::text)"
#: As a worker of one bucket goes on: ends what it took last and takes more of the same.
TURN = f"""
SELECT run_id, token FROM trackside_turn(
  $1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[], 1, {TOGETHER}, $6::integer, $7::text)"""


def loop(workers: int) -> None:
    """Take and end all runs in so many processes, each on a connection of its own; then wait to be stopped."""
    session = sessions.open_session("floor", slots=workers, version=VERSION, pid=os.getpid())
    connection.close()
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_work, args=(session.pk,)) for _ in range(workers)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    signal.pause()


def _work(session_id: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as link:
        link.prepare_threshold = 0
        # as a worker's connection has it
        link.execute("SET enable_seqscan = off")
        link.execute("SET jit = off")
        cursor = psycopg.RawCursor(link)
        taken = cursor.execute(FIRST, [session_id, os.getpid(), VERSION]).fetchall()
        while taken:
            taken = cursor.execute(TURN, [*_ended(taken), os.getpid(), VERSION]).fetchall()


def _ended(taken: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Ids, tokens, outputs, and how long ago each began and ended."""
    ids, tokens = map(list, zip(*taken, strict=True))
    return [ids, tokens, [None] * len(ids), [0.0] * len(ids), [0.0] * len(ids)]
