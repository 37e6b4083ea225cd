"""What people tell a cluster: take nothing more, go on, stop. It obeys within seconds."""

from django.db import transaction
from django.utils import timezone

from runs import signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks, versions
from runs.models import Order, SessionState, WorkerSession


@transaction.atomic
def order(session_id: str, what: str, *, actor: str, reason: str = "") -> WorkerSession:
    """Tell a living cluster to drain, to resume, or to stop. Raises NotFound, InvalidOption.

    A cluster that drains takes no run more and goes on with those it has, until it is told to
    resume. One that stops drains, hands back after the grace what it still has, and ends.
    """
    checks.text("reason", reason)
    session = WorkerSession.objects.select_for_update().filter(pk=session_id).first()
    if session is None:
        raise NotFound(f"There is no cluster {session_id}.")
    _refuse(session, what)
    session.ordered = "" if what == Order.RESUME else what
    session.draining = what != Order.RESUME
    session.ordered_by, session.ordered_at = actor, timezone.now()
    session.save(update_fields=["ordered", "draining", "ordered_by", "ordered_at"])
    audit.record(actor, f"worker.{what}", f"{session.cluster} on {session.host}", reason=reason,
                 session=session.pk)  # fmt: skip
    transaction.on_commit(_look_again)
    return session


def _refuse(session: WorkerSession, what: str) -> None:
    """Raises InvalidOption for what cannot be."""
    if what not in Order.values:
        raise InvalidOption("action", "A cluster can drain, resume or stop.")
    if session.state != SessionState.ALIVE:
        raise InvalidOption("action", "This cluster has ended.")
    if session.ordered == Order.STOP:
        raise InvalidOption("action", "This cluster is stopping already.")
    if session.draining and not session.ordered:
        raise InvalidOption("action", "This cluster is stopping already.")
    if what == Order.RESUME and session.ordered != Order.DRAIN:
        raise InvalidOption("action", "This cluster takes runs already.")
    if what == Order.DRAIN and session.ordered == Order.DRAIN:
        raise InvalidOption("action", "This cluster takes no runs already.")


def _look_again() -> None:
    """What was kept for its version may go elsewhere, and others may take what it does not."""
    versions.release_pins()
    signals.runs_ready.send(sender=WorkerSession)


def ordered(session_id: str) -> str:
    """What the cluster of this session was told last; empty for nothing."""
    found = WorkerSession.objects.filter(pk=session_id).values_list("ordered", flat=True)
    return found.first() or ""
