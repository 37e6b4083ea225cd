"""Looking at what is redacted: by places, with a reason, on record."""

from collections.abc import Collection

from django.db import transaction

from runs import redaction
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit
from runs.masking import Spot
from runs.models import Run

#: Documents whose values can be revealed.
DOCUMENTS = ("payload", "output", "metadata", "error")
MAX_REASON = 500


def places(run_id: str, name: str) -> list[str]:
    """Where something is masked in a document of a run. Raises NotFound."""
    return [spot.place for spot in _spots(_text(run_id, name), name)]


def reveal(
    run_id: str, name: str, wanted: Collection[str], *, actor: str, reason: str
) -> list[tuple[str, str]]:
    """These places with the JSON texts that stand there. Raises NotFound, InvalidOption."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise InvalidOption("reason", f"Say why, in at most {MAX_REASON} characters.")
    text = _text(run_id, name)
    found = [spot for spot in _spots(text, name) if spot.place in wanted]
    if not found:
        raise InvalidOption("places", "Choose at least one value.")
    with transaction.atomic():
        named = [f"{name}{spot.place.removeprefix('$')}" for spot in found]
        audit.record(actor, "run.reveal", run_id, reason=reason, places=named)
    return [(spot.place, text[spot.start : spot.end]) for spot in found]


def _text(run_id: str, name: str) -> str:
    if name not in DOCUMENTS:
        raise NotFound(f"A run has no “{name[:60]}”.")
    text: str | None = Run.objects.filter(pk=run_id).values_list(name, flat=True).first()
    if text is None:
        raise NotFound(f"There is no {name} of run {run_id}.")
    return text


def _spots(text: str, name: str) -> list[Spot]:
    return redaction.rules().spots(text, name)
