"""How long somebody stays logged in, and ending it."""

import time
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from runs import conf

#: When a session began, and when its person was last seen, in seconds since 1970.
BEGAN, SEEN = "trackside_began", "trackside_seen"
#: Being seen again is remembered this seldom: a write for many pages.
STEP = 300


def begin(session: SessionBase) -> None:
    """Somebody has just logged in."""
    session[BEGAN] = session[SEEN] = int(time.time())


def is_over(session: SessionBase) -> bool:
    """Whether it lasted too long, or nobody came for too long."""
    now = time.time()
    began, seen = session.get(BEGAN, now), session.get(SEEN, now)
    idle = float(conf.get("SESSION_IDLE_SECONDS"))
    return now - began > settings.SESSION_COOKIE_AGE or (idle > 0 and now - seen > idle)


def note(session: SessionBase) -> None:
    """Its person is here."""
    now = int(time.time())
    session.setdefault(BEGAN, now)
    if now - session.get(SEEN, 0) >= STEP:
        session[SEEN] = now


def end_all(user: User) -> int:
    """End what somebody is logged in with, everywhere; how many sessions that were."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):
        return 0  # kept elsewhere: nobody can say whose they are
    ended = 0
    alive = store.get_model_class().objects.filter(expire_date__gt=timezone.now())
    for row in alive.iterator():
        if row.get_decoded().get(SESSION_KEY) == str(user.pk):
            store(row.session_key).delete()
            ended += 1
    return ended
