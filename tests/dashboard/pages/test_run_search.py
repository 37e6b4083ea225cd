import json
import re

import pytest
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import escape

from dashboard.pages.run_query import RunQuery
from runs.models import Run
from tests.dashboard.pages.conftest import client_of
from tests.dashboard.pages.test_run_list import ids
from tests.support.rows import failed_run, make_task, make_user, queued_run

pytestmark = pytest.mark.django_db


def box(response):
    return re.search(r'name="q"\s+value="([^"]*)"', response.content.decode())[1]


def test_the_box_finds(viewer):
    queued_run("mail", tags=("eu",))
    failed = failed_run("mail")
    assert ids(viewer.get("/runs", {"q": "status:failed error:mailbox task:m*"})) == [failed.id]
    assert ids(viewer.get("/runs", {"q": "-tag:eu"})) == [failed.id]


def test_the_box_holds_everything_that_is_asked(viewer):
    page = viewer.get("/runs?status=FAILED&task=mail&q=dur:>5s%20tag:eu&test=0")
    assert box(page) == escape("status:failed task:mail tag:eu test:no dur:>5s")
    text = page.content.decode()
    assert 'href="/runs?task=mail&amp;tag=eu&amp;test=0&amp;q=dur%3A%3E5s"' in text
    assert 'href="/runs?status=FAILED&amp;task=mail&amp;tag=eu&amp;test=0"' in text


def test_an_error_group_is_no_error_text(viewer):
    assert box(viewer.get("/runs?error=abc&q=error:x")) == "group:abc error:x"
    assert 'href="/runs?error=abc"' in viewer.get("/runs?q=group:abc error:x").content.decode()


def test_every_value_is_a_chip(viewer):
    text = viewer.get("/runs", {"q": "-tag:a,b attempts:>1"}).content.decode()
    assert 'href="/runs?q=-tag%3Ab+attempts%3A%3E1"' in text
    assert 'href="/runs?q=-tag%3Aa%2Cb"' in text


def test_a_mistake_is_shown_where_it_is(viewer):
    queued_run()
    page = viewer.get("/runs", {"q": "task:hello taks:x"})
    text = page.content.decode()
    assert page.status_code == 400
    assert box(page) == "task:hello taks:x"
    assert "Did you mean task:?" in text
    assert "task:hello taks:x\n" + " " * 11 + "^" in text
    assert 'data-caret="11"' in text
    assert ids(page) == []
    assert viewer.get("/runs/live", {"q": "taks:x", "newest": "run_0"}).status_code == 204
    assert viewer.get("/runs/counts", {"q": "taks:x"}).status_code == 204


def test_what_cannot_be_read_matches_nothing(administrator):
    run = queued_run()
    query = RunQuery.parse(QueryDict("queue=task/hello&q=taks:x"))
    assert not query.filter(timezone.now()).runs().exists()
    form = {"query": "queue=task/hello&q=taks:x", "until": run.id}
    assert administrator.post("/bulk/purge", form).status_code == 422
    assert Run.objects.get(pk=run.pk).status == "QUEUED"


def test_times_in_the_box_are_the_window(db, time_machine):
    time_machine.move_to("2030-01-01T12:00:00Z")
    old = queued_run()
    time_machine.move_to("2030-01-20T12:00:00Z")
    new = queued_run()
    viewer = client_of(make_user("tim", "view_run"))
    assert ids(viewer.get("/runs", {"q": "after:2029-12-31"})) == [new.id, old.id]
    assert ids(viewer.get("/runs", {"q": "before:2030-01-02"})) == [old.id]
    page = viewer.get("/runs", {"q": "after:2h task:hello"}).content.decode()
    assert "Chosen times" in page
    assert 'href="/runs?task=hello&amp;period=30d"' in page


def test_says_what_was_searched(viewer):
    queued_run()
    page = viewer.get("/runs?period=24h&tz=Europe/Zurich").content.decode()
    assert re.search(r"Searched <time .* to <time .*Europe/Zurich \(UTC\+\d\)", page)
    assert "tz=Europe%2FZurich" in page


def test_says_how_many_match_without_one_filter(viewer):
    queued_run("mail", tags=("eu",))
    queued_run("mail", tags=("eu",))
    page = " ".join(viewer.get("/runs?task=mail&tag=us").content.decode().split())
    assert (
        '<a href="/runs?task=mail"><b class="num">2</b> match without <span class="dim">tag</span> us'
        in page
    )
    assert page.count("match without") == 1


def test_offers_the_same_as_a_call_and_a_command(viewer):
    page = viewer.get("/runs", {"q": "dur:>5s", "status": "FAILED", "period": "1h"})
    copies = {name: text for name, _, text in page.context["copies"]}
    assert copies["copy-command"].endswith(
        "runs list --query 'status:failed dur:>5s' --since 1h --limit 25"
    )
    assert "filter%5Bquery%5D=status%3Afailed+dur%3A%3E5s" in copies["copy-call"]
    assert copies["copy-link"] == "http://testserver/runs?status=FAILED&q=dur%3A%3E5s&period=1h"


def suggested(viewer, text):
    answer = viewer.get("/runs/suggest", {"q": text}).json()
    return answer["from"], [option["text"] for option in answer["options"]]


def test_suggests_qualifiers_and_values(viewer):
    make_task("send-mail")
    make_task("mail-back")
    queued_run("send-mail", tags=("user 1",), payload=json.dumps({"order": {"id": 1}, "a b": 2}))
    assert suggested(viewer, "tag:x ta") == (6, ["task:", "tag:"])
    assert suggested(viewer, "-ver") == (0, ["-version:"])
    assert suggested(viewer, "task:mail")[1] == ["task:mail-back ", "task:send-mail "]
    assert suggested(viewer, "task:a,send")[1] == ["task:a,send-mail "]
    assert suggested(viewer, "status:compl")[1] == ["status:completed "]
    assert suggested(viewer, 'tag:"us')[1] == ['tag:"user 1" ']
    assert suggested(viewer, "payload.")[1] == [
        "payload.order:", "payload.order.id:", 'payload["a b"]:',
    ]  # fmt: skip
    assert suggested(viewer, "nothing:x")[1] == []


def test_hostile_searches_are_inert(viewer):
    Run.objects.filter(pk=queued_run().pk).update(reason="x")
    for text in (
        '"><script>alert(1)</script>',
        'tag:"<script>alert(1)</script>"',
        "\x00",
        "-",
        '"',
    ):
        page = viewer.get("/runs", {"q": text})
        assert page.status_code in {200, 400}
        assert b"<script>alert" not in page.content
        assert viewer.get("/runs/suggest", {"q": text}).status_code == 200
