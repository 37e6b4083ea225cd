"""The runs of a queue that are next, and those that execute."""

from collections.abc import Iterable
from itertools import product

from django.db import connection

from runs.machines import PRESETS, heavy_lane
from runs.models import Bucket, Lane, Lease, Queue

SHOWN = 25
#: Heads that are read in one statement (SQLite joins no more than 500), and versions looked for.
PARTS, PINS = 400, 4
NEXT = """
SELECT * FROM (SELECT run_id, sort_key, {served} AS served FROM runs_ready
 WHERE bucket_id = %s AND lane = %s AND pin = %s AND not_before IS NULL ORDER BY sort_key, run_id LIMIT {most}) p{place}
"""


def next_ids(queue: Queue, versions: Iterable[str]) -> list[str]:
    """The first SHOWN that wait, in the order they are taken as long as nothing else changes.

    Keys take turns, the one that was served longest ago first; also of runs that are kept for one of
    `versions` of the code, those that clusters run.
    """
    lanes = [Lane.ALONE, Lane.SHARED, *sorted({heavy_lane(name) for name in PRESETS})]
    pins = ["", *sorted({*versions} - {""})][:PINS]
    most = min(SHOWN, PARTS // (len(lanes) * len(pins)))
    buckets = list(Bucket.objects.filter(queue=queue).order_by("served", "pk")[:most])
    if not buckets:
        return []
    turns: dict[int, list[str]] = {place: [] for place in range(len(buckets))}
    for run_id, _, place in sorted(_heads([one.pk for one in buckets], lanes, pins), key=_order):
        turns[place].append(run_id)
    return _in_turns(list(turns.values()))[:SHOWN]


def running_ids(queue: Queue) -> list[str]:
    """The SHOWN that have had their slot for longest."""
    leases = Lease.objects.filter(queue_id=queue.pk).order_by("claimed_at")
    return list(leases.values_list("run_id", flat=True)[:SHOWN])


def _heads(buckets: list[int], lanes: list[int], pins: list[str]) -> list[tuple[str, int, int]]:
    """(run, sort key, place of its bucket): the heads of an index, one for each bucket, lane and pin."""
    texts: list[str] = []
    values: list[int | str] = []
    for place, bucket in enumerate(buckets):
        for lane, pin in product(lanes, pins):
            texts.append(NEXT.format(served=place, most=SHOWN, place=len(texts)))
            values += [bucket, int(lane), pin]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(texts), values)
        return list(cursor.fetchall())


def _order(row: tuple[str, int, int]) -> tuple[int, str]:
    return row[1], row[0]


def _in_turns(several: list[list[str]]) -> list[str]:
    """One of each, then the second of each, and so on."""
    longest = max((len(one) for one in several), default=0)
    return [one[at] for at in range(longest) for one in several if at < len(one)]
