"""What the pages about errors say, and what others say of errors."""

from typing import Any

from django import template

from dashboard.presenters import group_look
from runs.models import ErrorGroup
from runs.reads import errors

register = template.Library()


@register.filter
def commas(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}"


@register.inclusion_tag("dashboard/errors/_seen.html", takes_context=True)
def seen_before(context: template.Context) -> dict[str, Any]:
    """How often the error of an attempt was seen: for the card of a failure on a run's page.

    The card says whose it is: `run`, and the attempt's number as `place`, or "run" of one that
    failed before any. Asked once for a page, however many cards it has.
    """
    run, place = context.get("run"), context.get("place")
    if run is None or not (isinstance(place, int) or place == "run"):
        return {}
    group = _groups(context, run.pk).get(place if isinstance(place, int) else 0)
    return {"group": group, "look": group_look(group)} if group else {}


def _groups(context: template.Context, run_id: str) -> dict[int, ErrorGroup]:
    page = context.dicts[0]
    if "_seen_errors" not in page:
        page["_seen_errors"] = errors.seen(run_id)
    found: dict[int, ErrorGroup] = page["_seen_errors"]
    return found
