"""How long runs of a task usually take, from what was counted ahead."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from django.core.cache import cache
from django.db.models import Q

from runs import histograms
from runs.models import Facet, Rollup, Step

WINDOW = timedelta(days=7)
#: Seconds an answer is good for, and what stands for none in the cache.
REMEMBERED, UNKNOWN = 60, -1.0
#: Runs a task needs before anything is usual.
FEWEST = 5


def usual(tasks: Iterable[str], now: datetime) -> dict[str, float]:
    """Seconds that 95 of 100 runs of each task stay below; without those that ran little."""
    # caches refuse keys that are long or hold odd characters
    names = {f"runs.usual.{sha256(name.encode()).hexdigest()[:32]}": name for name in tasks}
    known: dict[str, float] = cache.get_many(names)
    if missing := {name for key, name in names.items() if key not in known}:
        asked = _asked(missing, now)
        fresh = {key: asked.get(name, UNKNOWN) for key, name in names.items() if name in missing}
        cache.set_many(fresh, REMEMBERED)
        known |= fresh
    return {names[key]: value for key, value in known.items() if value >= 0}


def _asked(tasks: set[str], now: datetime) -> dict[str, float]:
    day = now - timedelta(days=1)
    recent = Q(step=Step.DAY, at__gte=now - WINDOW) | Q(step=Step.HOUR, at__gte=day)
    rows = Rollup.objects.filter(recent, facet=Facet.TASK, name__in=tasks)
    counts: dict[str, histograms.Counts] = {}
    for name, text in rows.exclude(durations="").values_list("name", "durations"):
        histograms.add(counts.setdefault(name, {}), histograms.load(text))
    found = {
        name: histograms.quantile(one, 0.95)
        for name, one in counts.items()
        if sum(one.values()) >= FEWEST
    }
    return {name: value / 1000 for name, value in found.items() if value is not None}
