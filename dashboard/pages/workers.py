"""Clusters: who lives, who is silent, what each worker process does."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.pages import live, shell
from dashboard.pages.page import page
from runs.models import SessionState
from runs.reads import capacity, sessions, versions

SHOWN = 100


@page()
def index(request: HttpRequest) -> HttpResponse:
    return shell.render_live(
        request, "dashboard/workers/index.html", "dashboard/workers/_table.html", _context()
    )


def _context() -> dict[str, Any]:
    now = timezone.now()
    found = list(sessions.recent(now)[:SHOWN])
    held = sessions.held(found)
    rooms = capacity.rooms(one for one in found if one.state == SessionState.ALIVE)
    rows = [
        (session, _standing(sessions.is_stale(session, now), session.state, session.draining),
         held.get(session.id, 0), sessions.slots(session), rooms.get(session.id))
        for session in found
    ]  # fmt: skip
    running = versions.running(found, held)
    facts = [(session.id, session.heartbeat_at, standing[0]) for session, standing, *_ in rows]
    return {"rows": rows, "versions": running, "token": live.token(facts, running), "now": now}


def _standing(stale: bool, state: str, draining: bool) -> tuple[str, str]:
    """Word and tone."""
    if state == "DEAD":
        return "Lost", "bad"
    if state == "GONE":
        return "Stopped", "idle"
    if stale:
        return "Silent", "warn"
    return ("Draining", "warn") if draining else ("Alive", "ok")
