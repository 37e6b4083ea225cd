"""What people write about a run."""

from django.db import transaction
from django.utils import timezone

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit
from runs.models import Run, RunNote

LONGEST, MOST = 4000, 200


@transaction.atomic
def write_note(run_id: str, text: str, *, actor: str) -> RunNote:
    """A note stays as it is, and goes with the run. Raises NotFound, InvalidOption."""
    text = text.replace("\x00", "").strip()
    if not 1 <= len(text) <= LONGEST:
        raise InvalidOption("text", f"A note has 1 to {LONGEST:,} characters.")
    # with the run's lock: retention removes it with its notes
    if not Run.objects.filter(pk=run_id).select_for_update().only("pk").exists():
        raise NotFound(f"There is no run {run_id[:60]}.")
    if RunNote.objects.filter(run_id=run_id).count() >= MOST:
        raise InvalidOption("text", f"A run has {MOST} notes at most.")
    audit.record(actor, "run.note", run_id, text=text)
    Run.objects.filter(pk=run_id).update(updated_at=timezone.now())
    return RunNote.objects.create(run_id=run_id, actor=actor, text=text, at=timezone.now())
