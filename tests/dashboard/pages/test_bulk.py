import re

import pytest
from django.test import override_settings

from runs.models import AuditLog, Run
from runs.states import RunStatus
from tests.support.rows import completed_run, executing_run, make_task, queued_run

pytestmark = pytest.mark.django_db


def statuses(*runs):
    found = dict(Run.objects.values_list("id", "status"))
    return [found[run.id] for run in runs]


def said(response):
    return re.findall(r'role="(?:status|alert)">([^<]+)</p>', response.content.decode())


def token(page):
    return re.search(r'name="token" value="([^"]+)"', page.content.decode())[1]


def test_the_list_offers_its_rows_without_scripts(viewer):
    run = queued_run()
    page = " ".join(viewer.get("/runs?period=24h").content.decode().split())
    assert f'<input type="checkbox" form="picked" name="run" value="{run.id}"' in page
    assert '<form id="picked" class="picked" action="/bulk/cancel">' in page
    assert '<input type="hidden" name="back" value="period=24h">' in page


def test_says_what_a_cancel_will_do(operator):
    ended, (running, _), queued = completed_run(), executing_run(), queued_run()
    page = operator.get("/bulk/cancel", {"run": [queued.id, running.id, ended.id, "run_gone"]})
    text = page.content.decode()
    assert "<h1>Cancel 2 runs</h1>" in text
    assert "1 executes now" in text
    assert "1 of the selected runs has ended" in text
    assert "1 is not there any more" in text
    assert f'name="run" value="{ended.id}"' not in text


def test_cancels_what_can_be_and_counts(operator):
    ended, (running, _), queued = completed_run(), executing_run(), queued_run()
    form = {"run": [queued.id, running.id, ended.id], "reason": "wrong", "back": "period=24h"}
    response = operator.post("/bulk/cancel", form)
    assert (response.status_code, response["Location"]) == (303, "/runs?period=24h")
    assert statuses(queued, running, ended) == ["CANCELED", "EXECUTING", "COMPLETED"]
    assert Run.objects.get(pk=running.pk).is_canceling
    assert said(operator.get("/runs")) == ["Of 3 runs: 1 canceled, 1 canceling, 1 completed."]
    assert AuditLog.objects.filter(action="run.cancel", actor="user:otto").count() == 2


def test_replays_each_in_the_order_of_the_old(operator):
    old = [queued_run(payload=f"[{number}]") for number in range(3)]
    form = {"run": [run.id for run in old], "back": "status=QUEUED&period=24h"}
    form["token"] = token(operator.get("/bulk/replay", form))
    response = operator.post("/bulk/replay", form)
    assert response["Location"] == "/runs?period=24h"
    new = Run.objects.exclude(id__in=form["run"]).order_by("id")
    assert [(run.payload, run.replayed_from_id) for run in new] == [
        (run.payload, run.id) for run in old
    ]
    assert said(operator.get("/runs")) == ["Replayed 3 of 3 runs."]


def test_a_form_sent_twice_replays_once(operator):
    form = {"run": queued_run().id, "token": "the-same"}
    operator.post("/bulk/replay", form)
    operator.post("/bulk/replay", form)
    assert Run.objects.count() == 2


def test_one_that_is_refused_does_not_hold_the_others(operator):
    good, bad = queued_run("good"), queued_run("bad")
    make_task("bad", schema='{"type": "array"}')
    operator.post("/bulk/replay", {"run": [good.id, bad.id], "token": "t"})
    first, second = said(operator.get("/runs"))
    assert first == "Replayed 1 of 2 runs."
    assert "was not replayed" in second
    assert Run.objects.filter(replayed_from_id=good.id).count() == 1


@pytest.mark.parametrize("path", ["/bulk/cancel", "/bulk/replay"])
def test_nothing_selected_is_no_mistake(operator, path):
    assert b"No run is selected" in operator.get(path).content
    assert operator.post(path).status_code == 422


def test_when_all_ended_meanwhile_nothing_is_done(operator):
    response = operator.post("/bulk/cancel", {"run": completed_run().id})
    assert response.status_code == 422
    assert b"nothing left to do" in response.content


def test_refuses_more_than_it_does_at_once(operator):
    response = operator.post("/bulk/cancel", {"run": [f"run_{number}" for number in range(501)]})
    assert response.status_code == 422
    assert b"These are 501 runs; 500 at most go at once." in response.content


def test_production_wants_the_number_typed(operator, settings):
    runs = [queued_run(), queued_run()]
    kind = {"ENVIRONMENT": {"name": "Production", "kind": "prod"}}
    form = {"run": [run.id for run in runs]}
    with override_settings(TRACKSIDE={**settings.TRACKSIDE, **kind}):
        assert b"Type 2 to confirm" in operator.get("/bulk/cancel", form).content
        response = operator.post("/bulk/cancel", {**form, "typed": "3"})
        assert (response.status_code, said(response)) == (422, ["Nothing was done: type 2."])
        assert statuses(*runs) == ["QUEUED", "QUEUED"]
        assert operator.post("/bulk/cancel", {**form, "typed": " 2 "}).status_code == 303
    assert statuses(*runs) == [RunStatus.CANCELED] * 2


def test_a_viewer_may_only_look(viewer):
    run = queued_run()
    assert b"aria-disabled" in viewer.get("/bulk/cancel", {"run": run.id}).content
    assert viewer.post("/bulk/cancel", {"run": run.id}).status_code == 403
    assert viewer.post("/bulk/replay", {"run": run.id}).status_code == 403
    assert statuses(run) == ["QUEUED"]


def test_hostile_words_are_inert(operator):
    run = queued_run("<script>alert(1)</script>")
    query = {"run": [run.id, "\x00", "<script>"], "back": '"><script>&cursor=x'}
    for path in ("/bulk/cancel", "/bulk/replay"):
        page = operator.get(path, query).content
        assert b"<script>alert" not in page
        assert b'"><script>' not in page
    reason = {"run": run.id, "reason": "\x00<script>alert(2)</script>"}
    assert b"<script>alert" not in operator.post("/bulk/cancel", reason, follow=True).content


def test_needs_few_queries_to_ask(operator, few_reads):
    runs = [queued_run().id for _ in range(12)]
    with few_reads(5) as queries:
        operator.get("/bulk/cancel", {"run": runs})
    assert not any('"payload"' in query["sql"] for query in queries.captured_queries)
