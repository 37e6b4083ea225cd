"""Clusters: who lives, who is silent, what each worker process does, and telling one to drain or stop."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions, undo
from dashboard.pages import live, shell
from dashboard.pages.page import page, see_other
from runs import conf
from runs.errors import InvalidOption
from runs.lifecycle import orders
from runs.models import Order, SessionState, WorkerSession
from runs.reads import capacity, sessions, versions
from runs.reads.capacity import Room
from runs.reads.sessions import Slot

SHOWN = 100
SAID = {
    Order.DRAIN: "{} takes nothing more and goes on with what it has.",
    Order.RESUME: "{} takes runs again.",
    Order.STOP: "{} stops once its runs have ended, or handed back after {:g} s.",
}


#: What takes an order back; a cluster that was stopped is gone.
OPPOSITE = {"drain": "resume", "resume": "drain"}


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster's line."""

    session: WorkerSession
    #: Word and tone.
    standing: tuple[str, str]
    held: int
    slots: list[Slot]
    room: Room | None

    @property
    def memory(self) -> int:
        """Bytes of all its worker processes."""
        return sum(slot.memory for slot in self.slots)

    @property
    def may_drain(self) -> bool:
        return self.session.state == SessionState.ALIVE and not self.session.draining

    @property
    def may_resume(self) -> bool:
        return self.session.state == SessionState.ALIVE and self.session.ordered == Order.DRAIN

    @property
    def may_stop(self) -> bool:
        return self.may_drain or self.may_resume


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _order(request)
    return shell.render_live(
        request, "dashboard/workers/index.html", "dashboard/workers/_table.html", _context(request)
    )


def _order(request: HttpRequest) -> HttpResponse:
    """Tell a cluster what to do."""
    what = request.POST.get("action", "")
    session_id = request.POST.get("session", "").replace("\x00", "")[:40]
    reason = request.POST.get("reason", "")[:500]
    try:
        session = orders.order(
            session_id, what, actor=permissions.actor(request.user), reason=reason
        )
    except InvalidOption as error:
        messages.error(request, str(error))
        return see_other("workers")
    name = f"{session.cluster} on {session.host}"
    said = SAID[Order(what)].format(name, float(conf.get("DRAIN_SECONDS")))
    if other := OPPOSITE.get(what):
        undo.said(request, said, undo.to("workers"), action=other, session=session.pk)
    else:
        messages.success(request, said)
    return see_other("workers")


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    found = list(sessions.recent(now)[:SHOWN])
    held = sessions.held(found)
    rooms = capacity.rooms(one for one in found if one.state == SessionState.ALIVE)
    rows = [
        Row(one, _standing(one, now), held.get(one.id, 0), sessions.slots(one), rooms.get(one.id))
        for one in found
    ]
    running = versions.running(found, held)
    facts = [(row.session.id, row.session.heartbeat_at, row.standing[0]) for row in rows]
    return {
        "rows": rows,
        "versions": running,
        "tiles": _tiles(rows),
        "drain_seconds": float(conf.get("DRAIN_SECONDS")),
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
        "token": live.token(facts, running),
        "now": now,
    }


def _tiles(rows: list[Row]) -> dict[str, int]:
    alive = [row for row in rows if row.session.state == SessionState.ALIVE]
    return {
        "clusters": len(alive),
        "held": sum(row.held for row in alive),
        "slots": sum(row.session.slots for row in alive),
        "silent": sum(row.standing[1] == "warn" and not row.session.draining for row in alive),
        "memory": sum(row.memory for row in alive),
    }


def _standing(session: WorkerSession, now: datetime) -> tuple[str, str]:
    """Word and tone."""
    if session.state == SessionState.DEAD:
        return "Lost", "bad"
    if session.state == SessionState.GONE:
        return "Stopped", "idle"
    if sessions.is_stale(session, now):
        return "Silent", "warn"
    if session.ordered == Order.DRAIN:
        return "Drained", "warn"
    return ("Stopping", "warn") if session.draining else ("Alive", "ok")
