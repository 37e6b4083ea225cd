"""Cancel everything of a selection that was never started, after a look at what that is (DEC-45)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.bulk_new import is_production
from dashboard.pages.cancel import MAX_REASON
from dashboard.pages.page import page, see_other
from dashboard.pages.run_query import RunQuery
from dashboard.presenters import LOOKS, Look
from runs import lifecycle
from runs.models.run import RunQuerySet
from runs.reads.deadline import TooSlow, deadline

#: Runs of one purge, the oldest ones: the browser waits for it.
MOST = 20_000
PATIENCE = 2.0
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What a purge would cancel now; `until` is the newest of it."""

    count: int = 0
    more: bool = False
    until: str = ""
    looks: tuple[tuple[Look, int], ...] = ()
    tasks: tuple[tuple[str, int], ...] = ()
    queues: tuple[tuple[str, int], ...] = ()


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def purge(request: HttpRequest) -> HttpResponse:
    """What came after the look is not purged: the form says up to which run it went."""
    posted = request.method == "POST"
    query = RunQuery.parse(QueryDict(request.POST.get("query", "")) if posted else request.GET)
    until = request.POST.get("until", "").replace("\x00", "") if posted else ""
    try:
        seen = _preview(query, until)
    except TooSlow as error:
        return _show(request, query, Preview(), too_slow=error)
    typed = request.POST.get("typed", "").strip()
    agreed = posted and until and (not is_production() or typed == str(seen.count))
    if not agreed or not seen.count:
        return _show(request, query, seen)
    count = lifecycle.purge(
        _runs(query, seen.until),
        actor=permissions.actor(request.user),
        reason=request.POST.get("reason", "").replace("\x00", "")[:MAX_REASON].strip(),
        asked={"filter": query.encode()},
    )
    messages.success(request, _told(query, seen, count))
    return see_other("runs", query=query.encode())


def _told(query: RunQuery, seen: Preview, count: int) -> str:
    ran = seen.count - count
    words = f"Purged {count:,} run{'' if count == 1 else 's'}."
    words += f" {ran:,} started or ended in the meantime." if ran else ""
    left = lifecycle.purgeable(_runs(query, "")).order_by("pk")[:1]
    return words + (" Others wait: purge again for them." if left else "")


def _runs(query: RunQuery, until: str) -> RunQuerySet:
    runs = query.filter(timezone.now()).runs()
    return runs.filter(pk__lte=until) if until else runs


def _preview(query: RunQuery, until: str) -> Preview:
    """Nothing for a query of everything, or one that cannot be: that is asked for by mistake."""
    if query.problem or not query.is_narrowed:
        return Preview()
    with deadline(PATIENCE):
        waiting = lifecycle.purgeable(_runs(query, until)).order_by("pk")
        found = list(waiting.values_list("pk", "status", "task_id", "queue")[: MOST + 1])
    if not found:
        return Preview()
    runs = found[:MOST]
    looks = Counter(LOOKS[status] for _, status, _, _ in runs).most_common()
    tasks = Counter(task for _, _, task, _ in runs).most_common(SHOWN)
    queues = Counter(queue for *_, queue in runs).most_common(SHOWN)
    return Preview(
        len(runs), len(found) > MOST, runs[-1][0], tuple(looks), tuple(tasks), tuple(queues)
    )


def _show(
    request: HttpRequest, query: RunQuery, seen: Preview, too_slow: TooSlow | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "query": query,
        "encoded": query.encode(),
        "seen": seen,
        "word": f"Purge {seen.count:,} run{'' if seen.count == 1 else 's'}",
        "too_slow": too_slow,
        "is_guarded": is_production(),
        "address": f"{reverse('dashboard:runs')}?{query.encode()}",
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
    }
    # sent, and here again: nothing was done
    status = 422 if request.method == "POST" else 200
    return shell.render(request, "dashboard/purge.html", context, status=status)
