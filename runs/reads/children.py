"""How the runs that some runs triggered stand."""

from collections import Counter
from collections.abc import Iterable

from runs.models import Run

#: Children of all of them together that are looked at.
MOST = 5000


def by_parent(parents: Iterable[str]) -> dict[str, Counter[str]]:
    """Statuses of the children of each; of very many, those of a part."""
    children = Run.objects.filter(parent_id__in=list(parents)).order_by()
    found: dict[str, Counter[str]] = {}
    for parent, status in children.values_list("parent_id", "status")[:MOST]:
        found.setdefault(str(parent), Counter())[status] += 1
    return found
