"""Everything behind PgBouncer, which lends a connection for one transaction (C17)."""

import json

import psycopg
import pytest
from django.db import connection

from dashboard.launch import preflight
from dashboard.launch.preflight import StartError
from engine import wait, wakeup
from runs.states import RunStatus
from tests.support import invariants
from tests.support.bouncer import bouncer
from tests.support.instance import running
from tests.support.judging import ended
from tests.support.site import Site, copied, pointed_at
from tests.support.waiting import eventually
from tests.support.web import serving

pytestmark = pytest.mark.acceptance


@pytest.fixture
def pooled(template, tmp_path, django_db_blocker):
    """A site whose every connection is a pooler's, with its direct address for comparison."""
    with django_db_blocker.unblock():
        if connection.vendor != "postgresql":
            pytest.skip("a pooler of PostgreSQL")
        with (
            copied(template, tmp_path) as url,
            bouncer(url) as through,
            running(through, tmp_path) as instance,
        ):
            site = Site(instance)
            try:
                with site.in_view():
                    yield site, url
            finally:
                site.close()


def test_everything_works_through_it(pooled):
    site, url = pooled
    site.cluster(TRACKSIDE_LISTEN_URL=url, TRACKSIDE_POLL_SECONDS="30", TRACKSIDE_ASYNC_SLOTS="4")
    token = wait.create_token()
    saga = site.trigger("saga", {"token": token.id})
    site.trigger_many("narrow", [{"seconds": 0.02}] * 12)
    site.trigger_many("work", [{"text": "it's {0} \\ %s é"}] * 40)
    site.trigger("async-chain")
    site.trigger("chain", 2)
    site.trigger("flaky", {"fail": 1})
    with serving(site.instance) as web:
        made = web.request(
            "POST", "/api/v1/tasks/echo/trigger", json={"payload": {"text": "it's \\ 100 %"}}
        )
        site.accepted.append(made.json()["id"])
        eventually(lambda: site.run(saga).status == RunStatus.WAITING)
        wait.complete_token(token, {"approved": True})
        echo = site.completed(made.json()["id"])
        assert json.loads(echo.output) == {"text": "it's \\ 100 %"}
        listed = web.request("GET", "/api/v1/runs").json()["data"]
        assert echo.pk in {run["id"] for run in listed}
    assert site.completed(saga).output == '{"approved":true}'
    invariants.check(site, {"narrow": 2})
    nothing_stays(url)
    ended(site)


def nothing_stays(url):
    """No setting of ours is left to the next who is lent the connection."""
    with psycopg.connect(url) as direct:
        found = direct.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert found.fetchone() == (0,)
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('enable_seqscan'), current_setting('trackside.lane', true)"
            )
            assert cursor.fetchone() in [("on", None), ("on", "")]


def test_what_would_need_a_session_is_refused_or_done_without(pooled):
    site, url = pooled
    listener = wakeup.Listener()
    assert (listener.connection, listener.messages(), listener.is_alive()) == (None, [], True)
    listener.close()
    instances_take_turns_to_migrate()
    those_that_do_not_say_so_are_refused(site.url.partition("?")[0])
    with pointed_at(url):
        assert preflight.database()


def those_that_do_not_say_so_are_refused(through):
    with (
        pointed_at(through),
        pytest.raises(StartError, match=r"unsupported startup.*add \?pool_mode="),
    ):
        preflight.database()
    with pointed_at(f"{through}?options="), pytest.raises(StartError, match=r"^A pooler lends"):
        preflight.database()


def instances_take_turns_to_migrate():
    with preflight._turn(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [preflight._MIGRATION_LOCK])
        assert cursor.fetchone() == (False,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [preflight._MIGRATION_LOCK])
        assert cursor.fetchone() == (True,)
