"""What runs ever came to: counters for monitoring, which must not fall when retention removes runs.

They grow with the rollups, a minute at a time and in the same transaction, and nothing is ever taken
from them: neither by retention of runs, nor by that of rollups, nor when a minute is counted anew.
"""

from collections.abc import Iterable

from django.db.models import F

from runs import conf, histograms
from runs.models import Facet, RollupMark, Total
from runs.reads.rollups import tally_of
from runs.reads.tally import COLUMNS, Tallies, Tally

FACETS = (Facet.TASK, Facet.QUEUE)
#: What monitoring calls the row that many names share; a task of this name shares it too.
OTHER = "other"
FIELDS = (*COLUMNS, "durations", "waits")


def add(*several: Tallies) -> None:
    """Count these too. Within the transaction that holds the mark of the rollups: there is no other."""
    grown = _together(several)
    if not grown:
        return
    known = {(one.facet, one.name): one for one in Total.objects.filter(facet__in=FACETS)}
    room = {facet: int(conf.get("METRICS_NAMES")) for facet in FACETS}
    for facet, name in known:
        room[Facet(facet)] -= bool(name)
    changed: dict[tuple[str, str], Total] = {}
    for (facet, name), more in sorted(grown.items()):
        row = known.get((facet, name)) or _place(facet, name, room, known)
        changed[row.facet, row.name] = known[row.facet, row.name] = _grown(row, more)
    old = [row for row in changed.values() if not row._state.adding]
    new = [row for row in changed.values() if row._state.adding]
    Total.objects.bulk_update(old, FIELDS, batch_size=50)
    Total.objects.bulk_create(new)


def count_missed(fires: int) -> None:
    """Schedules missed so many fires."""
    if not RollupMark.objects.update(missed_fires=F("missed_fires") + fires):
        RollupMark.objects.create(pk=1, missed_fires=fires)


def _together(several: Iterable[Tallies]) -> dict[tuple[str, str], Tally]:
    found: dict[tuple[str, str], Tally] = {}
    for tallies in several:
        for (facet, name, _), one in tallies.items():
            if facet in FACETS and (one.counts or one.durations or one.waits):
                found.setdefault((facet, "" if name == OTHER else name[:256]), Tally()).add(one)
    return found


def _place(
    facet: str, name: str, room: dict[Facet, int], known: dict[tuple[str, str], Total]
) -> Total:
    """A row of its own while there is room, else that of all others."""
    if name and room[Facet(facet)] > 0:
        room[Facet(facet)] -= 1
        return Total(facet=facet, name=name)
    return known.get((facet, "")) or Total(facet=facet, name="")


def _grown(row: Total, more: Tally) -> Total:
    whole = tally_of(row)
    whole.add(more)
    for column in COLUMNS:
        setattr(row, column, whole.of(column))
    row.durations, row.waits = histograms.dump(whole.durations), histograms.dump(whole.waits)
    return row
