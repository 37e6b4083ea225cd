"""What pages ask of the database and send to the browser; how long they take `benchmarks.pages` measures."""

import gzip

import pytest
from django.core.management import call_command

from benchmarks.inside import pages
from benchmarks.support.budgets import ALWAYS, PAGES
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
#: Queries beyond the budget of a page that somebody is to save.
OWED = {"overview": 3}


def test_every_page_keeps_its_budget():
    call_command("demo", runs=120, days=0.1, with_executing=2, verbosity=0)
    places, client = pages.places(), pages.client_of_bench()
    missed = []
    for page in PAGES:
        address = page.address.format(**places)
        statements, response = pages.asked(client, address)
        asked = len(statements) - ALWAYS
        if asked > page.budget.queries + OWED.get(page.name, 0):
            missed.append(f"{page.name}: {asked} queries, {page.budget.queries} allowed")
        assert response.status_code == 200, address
        size = len(gzip.compress(response.content)) / 1000
        if size > page.budget.kilobytes:
            missed.append(f"{page.name}: {size:.1f} KB, {page.budget.kilobytes:g} allowed")
    assert not missed, "\n".join(missed)


def test_pages_go_out_compressed(client):
    client.force_login(make_user("vera"))
    answer = client.get("/runs", headers={"accept-encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert b"</html>" in gzip.decompress(answer.content)
    assert "Content-Encoding" not in client.get("/runs").headers
