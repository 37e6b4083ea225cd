"""What the shop's runs come to in the rollups: counted after they are made, and taken out with them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from runs import histograms
from runs.demo.cast import IDS, QUEUE_NAMES
from runs.lifecycle.rollups import count_anew, roll_up
from runs.models import CodeVersion, Facet, Rollup, Step, WorkerSession
from runs.reads.rollups import tally_of
from runs.reads.tally import COLUMNS, Tally


def count(since: datetime) -> Iterator[int]:
    """Count what is now there since a moment, some at a time; a cluster may go on with it."""
    count_anew(since - timedelta(hours=2))
    while roll_up():
        yield 0


def take_out(cluster: str) -> Iterator[int]:
    """Remove the rows of the shop's tasks, queues and versions; those of all runs lose what these had."""
    versions = WorkerSession.objects.filter(cluster=cluster).values_list("version", flat=True)
    tasks = Rollup.objects.filter(facet=Facet.TASK, name__in=IDS)
    for step in Step:
        for at in list(tasks.filter(step=step).values_list("at", flat=True).distinct()):
            with transaction.atomic():
                Rollup.objects.filter(step=step, facet=Facet.TASK, at=at, name__in=IDS).delete()
                _sum(step, at)
            yield 0
    Rollup.objects.filter(facet=Facet.QUEUE, name__in=QUEUE_NAMES).delete()
    Rollup.objects.filter(facet=Facet.VERSION, name__in=set(versions)).delete()
    CodeVersion.objects.filter(pk__in=set(versions)).delete()


def _sum(step: str, at: datetime) -> None:
    """What all tasks that are left have together."""
    found = Tally()
    for part in Rollup.objects.filter(step=step, facet=Facet.TASK, at=at):
        found.add(tally_of(part))
    whole = Rollup.objects.filter(step=step, facet=Facet.ALL, at=at)
    if not any(found.counts.values()):
        whole.delete()
        return
    counts = {column: found.of(column) for column in COLUMNS}
    durations, waits = histograms.dump(found.durations), histograms.dump(found.waits)
    whole.update(**counts, durations=durations, waits=waits)
