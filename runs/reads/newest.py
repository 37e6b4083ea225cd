"""Whether there is something new to see of a run."""

from django.db.models import Subquery

from runs.models import Event, LogLine, Run, Span


def of(run_id: str, *, with_spans: bool = False) -> tuple[int | None, ...]:
    """The newest event, log line and span, in one question: a page asks it at every tick."""
    kinds = [Event.objects, LogLine.objects, *([Span.objects] if with_spans else [])]
    rows = [kind.filter(run_id=run_id).order_by("-id").values("id")[:1] for kind in kinds]
    found = Run.objects.filter(pk=run_id).values_list(*(Subquery(row) for row in rows))
    return next(iter(found), ())
