"""Every address, asked by everybody: who gets in, what is written, with which headers, and whether it is harmless."""

import base64
import json
import logging
import os
import pickle
import re
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.admin import site
from django.db import connection, transaction
from django.http import HttpResponseForbidden
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from dashboard.pages import refusals, run_tabs
from runs.lifecycle import alerts, apikeys, definitions, envvars
from runs.models import Run
from tests.security import rights
from tests.security.rights import LEVELS
from tests.support import walking
from tests.support.poisoning import XSS, poison, programs
from tests.support.rows import completed_run
from tests.system.floor.conftest import fill

# the walk needs the database; pytest makes it for tests that say so
pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.timeout(400)]

PAGES, ENDPOINTS = rights.pages(), rights.endpoints()
#: Secrets in the clear, as whoever made them saw them.
CANARY, HOOK, PASSWORD = (
    "canary-of-a-variable-7f3a",
    "canary-of-a-channel-91bc",
    "canary-of-a-login-55d2",
)
#: A download that is put on record is the only thing a look changes.
RECORDS = {"dashboard:retention_export"}
#: Programs complete wait tokens by the address alone, which nobody else knows.
BY_ADDRESS = {"dashboard:answer"}


class Walk:
    """What was found; the database is as before."""

    def __init__(self):
        self.visits, self.secrets, self.dump, self.logged = [], {}, "", ""

    def of(self, name, method, who=None):
        return [
            v for v in self.visits if (v.name, v.method) == (name, method) and who in (None, v.who)
        ]


@pytest.fixture(scope="module")
def walk(django_db_setup, django_db_blocker):
    """One walk for all tests of the module."""
    definitions.forget()
    found, log = Walk(), Lines()
    logging.getLogger().addHandler(log)
    try:
        with django_db_blocker.unblock(), transaction.atomic(), plain_refusals():
            prepare(found)
            found.dump = dump()
            over_pages(found)
            over_endpoints(found)
            found.logged = "\n".join(log.lines)
            transaction.set_rollback(True)
    finally:
        logging.getLogger().removeHandler(log)
        connection.close()
        definitions.forget()
    return found


@contextmanager
def plain_refusals():
    """Two hundred pages that say no are drawn the same way, which other tests look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusals, "forbidden", lambda *_: HttpResponseForbidden())
        patch.setattr(refusals, "csrf_failure", lambda *_, **__: HttpResponseForbidden())
        yield


class Lines(logging.Handler):
    """Everything that is logged, formatted as the terminal would have it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


def prepare(found):
    fill()
    completed_run("hello", payload='{"n": 1}')
    poison()
    plant()
    envvars.put({"CANARY": CANARY}, actor="user:ada", secret=True)
    channel = alerts.save_channel(
        "Canary", "webhook", "https://example.com/x", secret=HOOK, actor="user:ada"
    )
    key = apikeys.create("canary", actor="user:ada")[1]
    found.secrets = {"variable": CANARY, "channel": HOOK, "key": key, "password": PASSWORD}
    found.clients = {who: walking.person(who) for who in LEVELS}
    found.bearers = walking.bearers()
    found.secrets |= {name: text for name, text in found.bearers.items() if text}
    Client().post("/login/", {"username": "walking admin", "password": PASSWORD})
    assert channel.pk


class Evil:
    """Does something when it is unpickled."""

    MARK = Path(tempfile.gettempdir()) / f"trackside-evil-{os.getpid()}"

    def __reduce__(self):
        return self.MARK.touch, ()


def plant():
    """What django-q2 keeps as pickles and as names of functions, as somebody who can write rows would have it."""
    now = timezone.now()
    evil = {"func": "os.system", "args": (Evil(),), "kwargs": {"x": Evil()}}
    Task.objects.create(id="evil", name="evil", result=Evil(), started=now, stopped=now, **evil)
    pickled = base64.b64encode(pickle.dumps(Evil())).decode()
    OrmQ.objects.create(key="trackside", payload=pickled, lock=now - timedelta(days=1))
    Schedule.objects.create(func="os.system", args="'true'", next_run=now - timedelta(days=1))
    Evil.MARK.unlink(missing_ok=True)  # they are copied, and so read, when they are made


def dump():
    """Every row of every table."""
    lines = []
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f'SELECT * FROM "{table}"')
            lines += [f"{table} {row}" for row in cursor.fetchall()]
    return "\n".join(lines)


def over_pages(found):
    for name, pattern in walking.patterns():
        if name not in PAGES:
            continue
        where = walking.address(name, pattern)
        look, act = PAGES[name]
        asking = [("GET", who) for who in askers(look, "GET")]
        asking += [("POST", who) for who in ([look] if act == "=" else askers(act, "POST"))]
        for method, who in asking:
            found.visits.append(walking.asked(found.clients[who], name, method, where, who))
        if act != "=":
            found.visits.append(forged(found, name, where))
    for name, where in more():
        found.visits.append(walking.asked(found.clients["admin"], name, "GET", where, "admin"))


def askers(level, method):
    """A stranger, those who just may not, and who may everything; to act, those who just may."""
    if level == "-":
        return ["admin"]
    least = LEVELS.index(level)
    asking = {"anybody", LEVELS[max(0, least - 1)], "admin" if method == "GET" else level}
    return [who for who in LEVELS if who in asking]


def forged(found, name, where):
    """A form of another site, sent by the browser of somebody who is logged in."""
    client = found.clients["admin"]
    client.handler.enforce_csrf_checks = True
    try:
        return walking.asked(client, name, "POST", where, "forger")
    finally:
        client.handler.enforce_csrf_checks = False


def more():
    """The same pages with something chosen."""
    runs = [Run.objects.filter(task_id=XSS[:200])[0].pk, Run.objects.filter(status="FAILED")[0].pk]
    for run in runs:
        yield from (("tab", f"/runs/{run}?tab={tab}") for tab, _ in run_tabs.TABS)
    yield "task", reverse("dashboard:task", args=[XSS[:200]])
    yield "test", reverse("dashboard:test_task", args=[XSS[:200]])
    yield "queue", reverse("dashboard:queue", args=[XSS[:100]])
    yield "compare", f"/runs/compare?a={runs[0]}&b={runs[1]}&all=1"
    asked = quote(XSS)
    yield from (("asked", f"{page}?{name}={asked}") for page, name in ASKED)
    yield "nowhere", f"/runs/{asked}"
    yield "nowhere", f"/{asked}"


#: What an address says comes back in its page.
ASKED = [
    ("/runs", "q"), ("/runs", "task"), ("/runs", "cursor"), ("/logs", "q"), ("/errors", "text"), ("/jump", "q"),
    ("/settings/audit", "actor"), ("/test", "q"), ("/login/", "next"), ("/runs", "tz"), ("/metrics", "task"),
]  # fmt: skip


def over_endpoints(found):
    client = Client(raise_request_exception=False)
    for name, pattern in walking.patterns():
        # those of realtime are answered in front of Django: test_longpoll.py, test_streams.py
        if name.startswith("realtime:"):
            continue
        for method in [method for known, method in ENDPOINTS if known == name]:
            where = walking.address(name, pattern)
            letters = ENDPOINTS[name, method]
            for who, bearer in found.bearers.items():
                if letters == "*" and who not in ("none", "a"):
                    continue
                found.visits.append(walking.called(client, name, method, where, who, bearer))


def test_every_address_has_its_rights_stated():
    names = {name for name, _ in walking.patterns()}
    stated = set(PAGES) | {name for name, _ in ENDPOINTS} | rights.REST
    assert names - stated == set(), "say in tests/security/rights.py who may do what there"
    assert stated - names == set(), "there are no such addresses any more"
    for name, pattern in walking.patterns():
        methods = {one.method for one in getattr(pattern.callback, "operations", ())}
        assert methods == {method for known, method in ENDPOINTS if known == name}, name


def test_pages_open_for_those_who_may_and_no_others(walk):
    wrong = []
    for name, (look, act) in PAGES.items():
        for method, level in (("GET", look), ("POST", look if act == "=" else act)):
            for visit in walk.of(name, method):
                if visit.who == "forger":
                    continue
                if level == "-":
                    right = visit.status == 405
                else:
                    right = visit.is_refused is (LEVELS.index(visit.who) < LEVELS.index(level))
                if not right or visit.status >= 500:
                    wrong.append((name, method, visit.who, visit.status))
    assert not wrong


def test_keys_and_tokens_do_what_they_may_and_no_more(walk):
    wrong = [
        (name, method, visit.who, visit.status)
        for (name, method), letters in ENDPOINTS.items()
        for visit in walk.of(name, method)
        if visit.status != wanted(visit, letters)
    ]
    assert not wrong


def wanted(visit, letters):
    """The status it must have; of those who may, every one that is no refusal."""
    fine = visit.status if visit.status < 500 and visit.status != 401 else "an answer"
    if letters == "*":
        return fine
    if visit.who in ("none", "revoked"):
        return 401
    if visit.who == "other run":
        return 403 if "p" in letters else 401
    return (fine if visit.status != 403 else "an answer") if visit.who in letters else 403


def test_a_look_changes_nothing(walk):
    looks = [v for v in walk.visits if v.method in ("GET", "HEAD")]
    assert len(looks) > 300
    wrote = [(v.name, v.wrote) for v in looks if v.wrote and not only_uses(v)]
    assert {name for name, _ in wrote} <= RECORDS, wrote
    assert not [v.name for v in looks if v.name in RECORDS and not all("auditlog" in sql for sql in v.wrote)]  # fmt: skip
    same = [name for name, (_, act) in PAGES.items() if act == "="]
    sent = [v for name in same for v in walk.of(name, "POST", PAGES[name][0])]
    assert len(sent) > 30
    assert {v.name for v in sent if v.wrote} <= RECORDS


def test_who_is_refused_changes_nothing(walk):
    refused = [v for v in walk.visits if v.is_refused]
    assert len(refused) > 300
    wrote = [v for v in refused if v.wrote and not only_uses(v) and not only_tells(v)]
    assert not [(v.name, v.who, v.wrote) for v in wrote]


def only_tells(visit):
    """Whether all it wrote is that it was refused."""
    return all(one.startswith('INSERT INTO "runs_auditlog"') for one in visit.wrote)


def only_uses(visit):
    """That a key was used, which is no effect of what was asked."""
    return all("runs_apikey" in sql and "last_used_at" in sql for sql in visit.wrote)


def test_no_form_of_another_site_is_taken(walk):
    forged = [v for v in walk.visits if v.who == "forger"]
    assert {v.name for v in forged} == {name for name, (_, act) in PAGES.items() if act != "="}
    taken = {v.name for v in forged if v.status != 403 and PAGES[v.name][1] != "-"}
    assert taken <= BY_ADDRESS
    assert not [v.name for v in forged if v.wrote and v.name not in BY_ADDRESS]


def test_every_answer_has_its_headers(walk):
    wrong = []
    for visit in walk.visits:
        if visit.name.startswith("health:"):  # a word for programs, said before anything is asked
            continue
        told = {name.lower(): value for name, value in visit.headers.items()}
        policy = told.get("content-security-policy", "")
        right = (
            told.get("x-content-type-options") == "nosniff"
            and told.get("x-frame-options") == "DENY"
            and "default-src 'none'" in policy
            and "frame-ancestors 'none'" in policy
            and "unsafe" not in policy
            and ("no-store" in told.get("cache-control", "") or not shows(visit, told))
        )
        if "html" in told.get("content-type", ""):
            right = right and "form-action 'self'" in policy and "base-uri 'none'" in policy
            right = right and told.get("referrer-policy") in ("same-origin", "no-referrer")
            right = right and told.get("cross-origin-opener-policy") == "same-origin"
        if not right:
            wrong.append(
                (visit.name, visit.method, visit.who, visit.status, told.get("cache-control"))
            )
    assert not wrong


def shows(visit, told):
    """Whether it holds something that no cache may keep: pages say so in another way."""
    if visit.name.startswith("api:") and visit.name not in ("api:openapi", "api:timezones"):
        return True
    if visit.status != 200 or visit.name in ("login", "admin/login/"):
        return False
    return not {"private", "no-cache"} <= set(re.split(r", *", told.get("cache-control", "")))


def test_nothing_that_is_stored_becomes_a_program(walk):
    pages = [
        v for v in walk.visits if v.method == "GET" and "html" in v.headers.get("Content-Type", "")
    ]
    seen = sum("xss()" in v.body for v in pages)
    found = {(v.name, one) for v in pages for one in programs(v.body)}
    assert seen > 60
    assert not found


@pytest.mark.parametrize(
    "page",
    [
        XSS,
        '<a href="java\nscript:xss()">',
        "<p style='x'>",
        "<script>1</script>",
        "<IMG SRC=//evil/x>",
        '<form action="data:text/html,x">',
        "<iframe>",
        '<div hx-on:click="x">',
    ],
)
def test_the_search_for_programs_finds_them(page):
    assert programs(page)


def test_a_page_of_ours_is_none():
    assert not programs(
        '<script src="/static/a.js"></script><a href="/x?q=&lt;svg onload=1&gt;">&lt;b&gt;</a>'
    )


def test_pickles_and_names_of_functions_stay_what_they_are(walk):
    assert walk.visits
    assert not Evil.MARK.exists()
    assert not [one for one in site._registry if one._meta.app_label == "django_q"]
    assert json.loads(json.dumps(settings.Q_CLUSTER)) == settings.Q_CLUSTER
    assert settings.Q_CLUSTER["scheduler"] is False


def test_secrets_are_nowhere_in_the_clear(walk):
    assert len(walk.secrets) > 8
    for name, text in walk.secrets.items():
        assert text not in walk.dump, name
        assert text not in walk.logged, name
        told = {v.name for v in walk.visits if text in v.body}
        assert told <= ({"api:envvars", "api:envvar"} if text == CANARY else set()), name
