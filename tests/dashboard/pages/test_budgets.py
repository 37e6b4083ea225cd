"""What pages ask of the database and send to the browser; how long they take `benchmarks.pages` measures."""

import gzip
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from benchmarks.inside import pages
from benchmarks.support import tabs
from benchmarks.support.budgets import ALWAYS, IDLE_SHARE, PAGES
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
#: Minutes an idle tab is watched; of what it asks for in them, so many answers may bring something.
IDLE = 6


def test_every_page_keeps_its_budget(time_machine):
    call_command("demo", runs=120, days=0.1, with_executing=2, verbosity=0)
    # a machine that is slow must not forget in between what a page remembers for seconds
    time_machine.move_to(timezone.now(), tick=False)
    places, client = pages.places(), pages.client_of_bench()
    asked = {page.name: page.address.format(**places) for page in PAGES}
    missed, shown = [], {}
    for page in PAGES:
        address = asked[page.name]
        statements, response = pages.asked(client, address)
        if (count := len(statements) - ALWAYS) > page.budget.queries:
            missed.append(f"{page.name}: {count} queries, {page.budget.queries} allowed")
        assert response.status_code == 200, address
        size = len(gzip.compress(response.content)) / 1000
        if size > page.budget.kilobytes:
            missed.append(f"{page.name}: {size:.1f} KB, {page.budget.kilobytes:g} allowed")
        shown[page.name] = response.content.decode()
    missed += _restless(client, asked, shown, time_machine)
    assert not missed, "\n".join(missed)


def _restless(client, places, shown, time_machine) -> list[str]:
    """Pages whose tabs get answers although nothing happens; the clock goes on by a minute at a time."""
    each = {places[name].partition("?")[0]: name for name in reversed(shown)}
    live = {name: shown[name] for name in each.values() if tabs.tick(shown[name])}
    assert {"runs, 25 rows", "overview", "queue", "task", "errors", "workers"} <= live.keys()
    changes = dict.fromkeys(live, 0)
    now = timezone.now()
    for minute in range(1, IDLE + 1):
        time_machine.move_to(now + timedelta(minutes=minute), tick=False)
        for name, text in live.items():
            answer = client.get(tabs.tick(text), headers=tabs.HTMX)
            assert answer.status_code in (200, 204), name
            if answer.status_code == 200:
                changes[name] += 1
                live[name] = client.get(places[name]).content.decode()
    return [
        f"{name}: {count} of {asked:g} ticks of an idle tab brought something"
        for name, count in changes.items()
        if count > (1 - IDLE_SHARE) * (asked := IDLE * 60 / tabs.seconds(shown[name]))
    ]


def test_pages_go_out_compressed(client):
    client.force_login(make_user("vera"))
    answer = client.get("/runs", headers={"accept-encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert b"</html>" in gzip.decompress(answer.content)
    assert "Content-Encoding" not in client.get("/runs").headers
