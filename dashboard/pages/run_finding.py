"""The run an address names."""

from django.db.models import Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404

from runs.models import Run


def find(run_id: str, **more: Subquery) -> Run:
    """The run without its large columns, with `more`, or the 404 page."""
    if "\x00" in run_id:
        raise Http404
    found = Run.objects.light().defer("error").annotate(**more)
    try:
        return get_object_or_404(found, pk=run_id)
    except Http404:
        raise Http404(f"There is no run {run_id}. It may have been pruned.") from None
