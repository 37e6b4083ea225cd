"""Whether there is something new to see of a run."""

from typing import Any

from django.db.models import OuterRef, Subquery

from runs.models import Event, LogLine, Run, Span

KINDS: dict[str, Any] = {"newest_event": Event, "newest_line": LogLine, "newest_span": Span}


def columns(*, with_spans: bool = False) -> dict[str, Subquery]:
    """The newest event, log line and span, to be asked for with a run: a page does at every tick."""
    return {
        name: Subquery(kind.objects.filter(run_id=OuterRef("pk")).order_by("-id").values("id")[:1])
        for name, kind in KINDS.items()
        if with_spans or kind is not Span
    }


def of(run: Run) -> tuple[int | None, ...]:
    """What a run that was asked for with `columns` had."""
    return tuple(getattr(run, name, None) for name in KINDS)
