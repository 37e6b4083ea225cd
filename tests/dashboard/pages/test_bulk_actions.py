"""Bulk actions: begun with a look at what they would do, watched, stopped."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import bulkreasons
from runs.models import AuditLog, BulkAction, BulkKind, BulkStatus, Run, Source
from runs.states import RunStatus
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import failed_run, make_task, make_user, queued_run

pytestmark = pytest.mark.django_db


def begin(client, where="", **fields):
    fields = {"do": "begin", "token": "t", "action": "replay", "back": "task=hello"} | fields
    return client.post(f"/bulk/new{where}", fields)


def begun(kind=BulkKind.REPLAY, count=2, **more):
    make_task()
    runs = [lifecycle.trigger("hello", "{}", source=Source.API).run_id for _ in range(count)]
    return lifecycle.begin_bulk(kind, runs, actor="user:ann", **more)


def work():
    while lifecycle.go_on_in_bulk():
        continue


# -- before -------------------------------------------------------------------------------------------


def test_tells_what_it_would_do(operator):
    make_task()
    failed_run(), queued_run()
    page = operator.get("/bulk/new?action=replay&task=hello").content.decode()
    assert "Replay 2 runs" in page
    assert "Makes a new run of each" in page
    assert 'name="patch"' in page
    assert 'DeliveryError</span> <b class="num t-bad">1</b>' in page
    assert 'name="priority"' not in page
    assert (
        'name="priority"' in operator.get("/bulk/new?action=priority&task=hello").content.decode()
    )
    assert not BulkAction.objects.exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [("", "needs a filter"), ("?q=dur:long", "cannot be read"), ("?task=none", "no such run"),
     ("?" + "&".join(f"run=run_{n}" for n in range(501)), "501 runs; 500 at most")],
)  # fmt: skip
def test_says_why_there_is_nothing_to_begin(operator, where, said):
    page = operator.get(f"/bulk/new{where}")
    assert page.status_code in (200, 422)
    assert said in page.content.decode()
    assert "data-submit" not in page.content.decode()


def test_begins_with_time_to_call_it_off(operator):
    make_task()
    old = failed_run()
    response = begin(operator, reason="fixed", name="again", tags="retried", canary="1")
    action = BulkAction.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/bulk/{action.pk}")
    assert (action.total, action.name, action.reason, action.canary) == (1, "again", "fixed", 1)
    assert action.not_before > timezone.now() + timedelta(seconds=5)
    assert lifecycle.go_on_in_bulk() == 0
    BulkAction.objects.update(not_before=None)
    work()
    replayed = Run.objects.exclude(pk=old.pk).get()
    assert replayed.tag_list == ["retried"]


def test_pressing_twice_begins_one(operator):
    make_task()
    failed_run()
    assert begin(operator)["Location"] == begin(operator)["Location"]
    assert BulkAction.objects.count() == 1


def test_runs_made_after_it_are_not_its(operator):
    make_task()
    failed_run()
    begin(operator, action="cancel")
    later = queued_run()
    BulkAction.objects.update(not_before=None)
    work()
    assert Run.objects.get(pk=later.pk).status == RunStatus.QUEUED


def test_picked_runs_go_alone(operator):
    make_task()
    one, other = queued_run(), queued_run()
    page = operator.get(f"/bulk/new?action=cancel&run={one.id}&back=task%3Dhello")
    assert "Cancel 1 run" in page.content.decode()
    begin(operator, action="cancel", run=[one.id])
    BulkAction.objects.update(not_before=None)
    work()
    assert Run.objects.get(pk=one.pk).status == RunStatus.CANCELED
    assert Run.objects.get(pk=other.pk).status == RunStatus.QUEUED


def test_the_list_offers_its_rows_without_scripts(viewer):
    run = queued_run()
    page = " ".join(viewer.get("/runs?period=24h").content.decode().split())
    assert f'<input type="checkbox" form="picked" name="run" value="{run.id}"' in page
    assert '<form id="picked" class="picked" action="/bulk/new">' in page
    assert page.count('<input type="hidden" name="back" value="period=24h">') == 2


def test_nothing_picked_is_nothing_meant(operator):
    queued_run()
    page = operator.get("/bulk/new?picked=1&action=cancel&back=task%3Dhello")
    assert page.status_code == 422
    assert "No run is selected" in page.text


def test_hostile_words_are_inert(operator):
    run = queued_run("<script>alert(1)</script>")
    query = {"run": [run.id, "\x00", "<script>"], "back": '"><script>&cursor=x'}
    page = operator.get("/bulk/new?action=cancel", query).content
    assert b"<script>alert" not in page
    assert b'"><script>' not in page


def test_the_number_is_typed_for_many(operator, monkeypatch):
    monkeypatch.setattr("dashboard.pages.bulk_new.TYPED", 1)
    make_task()
    failed_run(), failed_run()
    refused = begin(operator, typed="3")
    assert refused.status_code == 422
    assert "Nothing was begun: type 2." in refused.content.decode()
    assert not BulkAction.objects.exists()
    assert begin(operator, typed="2").status_code == 303


def test_a_cancel_in_production_is_typed_and_a_replay_is_not(operator, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ENVIRONMENT": {"name": "Live", "kind": "prod"}}
    make_task()
    queued_run()
    assert begin(operator, action="cancel").status_code == 422
    assert begin(operator).status_code == 303


def test_keys_are_freed_in_bulk(operator):
    make_task()
    keyed, plain = queued_run(idempotency_key="order-1"), queued_run()
    assert "Reset the keys of 2 runs" in operator.get("/bulk/new?action=key&task=hello").text
    begin(operator, action="key")
    BulkAction.objects.update(not_before=None)
    work()
    assert BulkAction.objects.values_list("success", "failure").get() == (1, 1)
    again = queued_run(idempotency_key="order-1")
    assert again.pk not in (keyed.pk, plain.pk)


def test_a_patch_is_tried_before(operator):
    make_task(schema='{"type":"object","required":["a"]}')
    failed_run(payload='{"a": 1.0, "b": 2}')
    page = begin(operator, do="try", patch='{"b": null, "c": 3}').content.decode()
    assert "All of them fit." in page
    assert "&quot;c&quot;: 3" in page
    page = begin(operator, do="try", patch='{"a": null}').content.decode()
    assert "1 of 1 would not be replayed" in page
    assert not BulkAction.objects.exists()


def test_a_patch_shows_nothing_to_who_may_see_no_payload():
    client = client_of(make_user("otto", "change_run"))
    make_task(schema='{"required":["a"]}')
    failed_run(payload='{"a": "secret-1", "b": 2}')
    for patch in ('{"c": 3}', '{"a": null}'):
        page = begin(client, do="try", patch=patch).content.decode()
        assert "secret-1" not in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"patch": "{"}, "The patch is no JSON"), ({"canary": "-1"}, "greater than or equal"),
     ({"per_minute": "x"}, "whole number"), ({"action": "tag"}, "State the tags"),
     ({"action": "priority"}, "State the priority"), ({"tags": "x" * 300}, "128"),
     ({"spread": "30"}, "such as 30m"), ({"spread": "0m"}, "such as 30m"), ({"spread": "31d"}, "30 days"),
     ({"spread": "1h", "per_minute": "5"}, "not both")],
)  # fmt: skip
def test_what_is_wrong_stands_at_its_field(operator, fields, said):
    make_task()
    failed_run()
    response = begin(operator, **fields)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not BulkAction.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pace", "spread"),
    [({"spread": "30s"}, "4 a minute", "30 s"), ({"spread": "1h 30m"}, "one every 45 m", "1 h 30 m"),
     ({"spread": "70s"}, "1.7 a minute", "1 m 10 s"), ({"per_minute": "1200"}, "1,200 a minute", None)],
)  # fmt: skip
def test_says_what_rate_a_spread_became(operator, fields, pace, spread):
    make_task()
    failed_run(), failed_run()
    said = begin(operator, **fields)
    page = operator.get(said["Location"]).content.decode()
    assert f"Replay 2 runs, {pace}: it begins in 8 s." in page
    assert f'<dt>At most</dt><dd class="num">{pace}</dd>' in page
    shown = f'<dt>Spread over</dt><dd class="num">{spread}</dd>'
    assert (shown in page) == (spread is not None)


def after(text):
    return " ".join(re.sub("<[^>]*>", "", text).split()).partition(", the last about")[0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [("count=10000&spread=2h", "10,000 runs over 2 h: about 83.3 a minute"),
     ("count=2310&per_minute=50", "2,310 runs, 50 a minute: about 46 m 12 s"),
     ("count=1&spread=30s", "1 run over 30 s: about 2 a minute"), ("count=5", ""),
     ("count=5&per_minute=1&spread=2h", "State the runs a minute or the time to spread them over, not both."),
     ("count=5&spread=soon", "A time such as 30m or 1h30m, of 30 days at most."),
     ("count=5&per_minute=-1", "Ensure this value is greater than or equal to 0."),
     ("per_minute=1", "This field is required.")],
)  # fmt: skip
def test_tells_how_long_it_takes_while_one_types(viewer, asked, said):
    assert after(viewer.get(f"/bulk/pace?{asked}").text) == said


def test_tells_how_long_it_takes_without_scripts(operator):
    make_task()
    failed_run(), failed_run()
    page = begin(operator, do="try", action="cancel", spread="1h").text
    assert after(page.partition('<p id="pace"')[2]).endswith(
        "2 runs over 1 h: about one every 30 m"
    )
    assert not BulkAction.objects.exists()


def test_needs_the_right_to_act(viewer):
    make_task()
    failed_run()
    page = viewer.get("/bulk/new?task=hello").content.decode()
    assert 'aria-disabled="true"' in page
    assert begin(viewer).status_code == 403


# -- while --------------------------------------------------------------------------------------------


def test_lists_the_newest_first(viewer, few_reads, monkeypatch):
    monkeypatch.setattr("dashboard.pages.bulk_actions.PAGE", 1)
    assert b"No bulk action yet" in viewer.get("/bulk").content
    first, second = begun(name="first"), begun(BulkKind.CANCEL, name="second")
    with few_reads(6):
        page = viewer.get("/bulk").content.decode()
    assert "second" in page
    assert ">first<" not in page
    assert ">first<" in viewer.get(f"/bulk?before={second.pk}").content.decode()
    assert b"No older one" in viewer.get(f"/bulk?before={first.pk}").content


def test_shows_how_far_it_is_and_why_some_are_not_done(viewer):
    make_task(schema='{"required":["a"]}')
    runs = [failed_run(payload='{"a":1}').pk for _ in range(2)] + ["run_gone"]
    options = lifecycle.bulk.BulkOptions(patch='{"a":null}')
    action = lifecycle.begin_bulk(BulkKind.REPLAY, runs, actor="user:ann", options=options)
    work()
    page = viewer.get(f"/bulk/{action.pk}").content.decode()
    assert "3 of 3 done" in page
    assert "Completed" in page
    assert "a&quot;:null" in page
    hrefs = [
        unescape(one) for one in re.findall(r'data-label="Runs"><a href="([^"]+)">(?:1|2)<', page)
    ]
    found = [set(re.findall(r'<tr id="(run_\w+)"', viewer.get(one).text)) for one in hrefs]
    assert sorted(found, key=len) == [set(), set(runs[:2])]


def test_leads_to_the_first_runs_of_a_reason_where_there_are_many(viewer):
    action = begun(BulkKind.CANCEL)
    refused = bulkreasons.added('{"Old.": 3, "Of a former release.": 2}', [("run_a", "Old.")])
    BulkAction.objects.filter(pk=action.pk).update(reasons=refused)
    page = viewer.get(f"/bulk/{action.pk}").text
    assert re.findall(r'data-label="Runs">(\d)</td>\s*<td [^>]+>([^<]+)<', page) == [
        ("4", "Old. "), ("2", "Of a former release."),
    ]  # fmt: skip
    assert 'q=run%3Arun_a&amp;period=all">the first 1</a>' in page


def test_hidden_reasons_are_counted_together():
    stranger = client_of(make_user("eve", "view_run"))
    action = begun(BulkKind.CANCEL)
    refused = bulkreasons.added("", [("run_a", "Old."), ("run_b", "Gone."), ("run_c", "Gone.")])
    BulkAction.objects.filter(pk=action.pk).update(reasons=refused)
    page = stranger.get(f"/bulk/{action.pk}").text
    assert "Gone" not in page
    assert ">3</a>" in page


def test_is_undone_before_it_begins(operator):
    action = begun(options=lifecycle.bulk.BulkOptions(wait=8))
    assert b">Undo</button>" in operator.get(f"/bulk/{action.pk}").content
    response = operator.post(f"/bulk/{action.pk}", {"do": "abort"}, follow=True)
    assert "Called off: nothing was done." in response.content.decode()
    action.refresh_from_db()
    assert action.status == BulkStatus.ABORTED


def test_is_paused_resumed_and_aborted(operator):
    action = begun()
    for verb, status in (("pause", "PAUSED"), ("resume", "PENDING"), ("abort", "ABORTED")):
        assert operator.post(f"/bulk/{action.pk}", {"do": verb}).status_code == 303
        action.refresh_from_db()
        assert action.status == status
    stale = operator.post(f"/bulk/{action.pk}", {"do": "pause"})
    assert (stale.status_code, b"Nothing was changed" in stale.content) == (409, True)
    assert operator.post(f"/bulk/{action.pk}", {"do": "burn"}).status_code == 422
    actors = (
        AuditLog.objects.filter(target=action.pk).order_by("id").values_list("actor", flat=True)
    )
    assert list(actors) == ["user:ann", "user:otto", "user:otto", "user:otto"]


def test_an_unchanged_one_is_not_sent_again(viewer):
    action = begun()
    page = viewer.get(f"/bulk/{action.pk}")
    tick = f"/bulk/{action.pk}?v={page.context['token']}"
    assert viewer.get(tick, headers={"HX-Request": "true"}).status_code == 204
    work()
    assert viewer.get(tick, headers={"HX-Request": "true"}).status_code == 200


def test_an_unknown_one_is_not_found(viewer):
    assert viewer.get("/bulk/bulk_none").status_code == 404
    action = begun()
    assert viewer.get(f"/a/{action.pk}")["Location"] == f"/bulk/{action.pk}"
