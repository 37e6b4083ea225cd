"""Subscriptions over real connections."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from dashboard.realtime import hub
from runs import lifecycle
from runs.lifecycle import apikeys, batches, publictokens
from runs.models import Source
from tests.support.rows import completed_run, executing_run, failed_run, make_task, queued_run


def later(call, *arguments, seconds=0.1):
    timer = threading.Timer(seconds, closing, [call, *arguments])
    timer.start()
    return timer


def closing(call, *arguments):
    try:
        call(*arguments)
    finally:
        connection.close()


def tell(run_id, document):
    lifecycle.update_metadata(run_id, [{"type": "update", "value": document}])


def test_a_first_answer_has_the_run_and_what_the_client_needs(subscribe):
    run = completed_run(tags=("b", "a"), metadata='{"n": 1}')
    answer = subscribe(f"runs/{run.pk}").ask()
    (message, last), headers = answer.json(), answer.headers
    assert last == {"headers": {"control": "up-to-date"}}
    assert message["headers"] == {"operation": "insert"}
    assert run.pk in message["key"]
    row = message["value"]
    assert (row["friendlyId"], row["taskIdentifier"]) == (run.pk, "hello")
    assert row["status"] == "COMPLETED_SUCCESSFULLY"
    assert (row["output"], row["outputType"]) == ('"done"', "application/json")
    assert (row["runTags"], json.loads(row["metadata"])) == (["a", "b"], {"n": 1})
    assert row["completedAt"] == run.finished_at.replace(tzinfo=None).isoformat(
        timespec="milliseconds"
    )
    assert "error" not in row
    assert headers["electric-schema"] == "{}"
    assert headers["electric-up-to-date"] == "true"
    assert headers["access-control-expose-headers"] == "*"
    assert headers["access-control-allow-origin"] == "*"
    assert "electric-cursor" not in headers


def test_a_live_request_is_held_until_something_is_new(subscribe):
    run = queued_run()
    client = subscribe(f"runs/{run.pk}")
    assert [row["status"] for row in client.values()] == ["PENDING"]
    later(lifecycle_cancel, run.pk)
    began = time.monotonic()
    answer = client.ask(live=True)
    assert 0.05 < time.monotonic() - began < 0.35
    assert answer.json()[0]["value"]["status"] == "CANCELED"
    assert answer.json()[0]["value"]["completedAt"]
    assert "electric-cursor" in answer.headers


def lifecycle_cancel(run_id):
    lifecycle.cancel(run_id, actor="user:vera")


def test_a_live_request_without_news_is_held_and_ends_up_to_date(subscribe):
    client = subscribe(f"runs/{queued_run().pk}")
    client.values()
    before, began = client.offset, time.monotonic()
    assert client.values(live=True) == []
    assert time.monotonic() - began > 0.25
    assert client.offset == before


def test_what_changed_between_two_requests_comes_at_once(subscribe):
    run = queued_run()
    client = subscribe(f"runs/{run.pk}")
    client.values()
    tell(run.pk, {"step": 1})
    began = time.monotonic()
    assert [json.loads(row["metadata"]) for row in client.values(live=True)] == [{"step": 1}]
    assert time.monotonic() - began < 0.3
    assert client.values(live=True) == []


def test_a_subscriber_from_another_process_is_held_where_nothing_is_new(subscribe, monkeypatch):
    run = queued_run()
    client = subscribe(f"runs/{run.pk}")
    client.values()
    forget_all()
    assert client.values(live=True) == []
    tell(run.pk, {"step": 1})
    forget_all()
    assert len(client.values(live=True)) == 1


def forget_all():
    """As if the next request came to another web process."""
    for one in hub._hubs.values():
        one.feeds.clear()


def test_tags_ask_for_all_of_them_and_hear_of_new_runs(subscribe):
    both = queued_run(tags=("a", "b"))
    queued_run(tags=("a",))
    client = subscribe("runs", tags="b,a", createdAt="1h")
    assert [row["id"] for row in client.values()] == [both.pk]
    later(queued_run_closing, ("b", "a", "c"))
    (new,) = client.values(live=True)
    assert new["runTags"] == ["a", "b", "c"]
    later(lifecycle_cancel, both.pk)
    (changed,) = client.values(live=True)
    assert (changed["id"], changed["status"]) == (both.pk, "CANCELED")
    assert client.values(live=True) == []


def queued_run_closing(tags):
    queued_run(tags=tags)


def test_a_run_that_gets_the_tag_later_joins(subscribe):
    run = queued_run()
    client = subscribe("runs", tags="late")
    assert client.values() == []
    later(lifecycle.add_tags, run.pk, ["late"])
    assert [row["id"] for row in client.values(live=True)] == [run.pk]


def test_a_window_leaves_older_runs_out(subscribe, time_machine):
    time_machine.move_to("2030-01-01T08:00:00Z")
    queued_run(tags=("w",))
    time_machine.move_to("2030-01-01T12:00:00Z")
    new = queued_run(tags=("w",))
    assert [row["id"] for row in subscribe("runs", tags="w", createdAt="2h").values()] == [new.pk]
    assert len(subscribe("runs", tags="w").values()) == 2


def test_a_batch_has_its_runs(subscribe):
    make_task()
    item = lifecycle.TriggerItem(task_id="hello")
    made = batches.trigger([item, item], "batch_1", source=Source.API)
    client = subscribe(f"batches/{made.batch_id}")
    assert len(client.values()) == 2
    later(lifecycle_cancel, made.runs[0].run_id)
    assert [row["status"] for row in client.values(live=True)] == ["CANCELED"]


def test_columns_can_be_skipped_but_not_those_a_client_needs(subscribe):
    run = completed_run(metadata='{"n": 1}')
    (row,) = subscribe(
        f"runs/{run.pk}", skipColumns="payload,output,metadata,error,runTags,status,nothing"
    ).values()
    assert not {"payload", "output", "outputType", "metadata", "runTags"} & row.keys()
    assert row["status"] == "COMPLETED_SUCCESSFULLY"


def test_a_failure_comes_as_a_built_in_error(subscribe):
    (row,) = subscribe(f"runs/{failed_run(max_attempts=1).pk}").values()
    assert row["status"] == "COMPLETED_WITH_ERRORS"
    assert row["error"]["type"] == "BUILT_IN_ERROR"
    assert row["error"]["message"] == "mailbox is full"
    assert row["error"]["name"]
    assert row["error"]["stackTrace"]


def test_a_handle_of_something_else_must_start_again(subscribe):
    client = subscribe(f"runs/{queued_run().pk}")
    client.values()
    right, client.handle = client.handle, "runs-0-0123456789abcdef"
    answer = client.ask(live=True)
    assert answer.status_code == 409
    assert answer.json() == [{"headers": {"control": "must-refetch"}}]
    assert answer.headers["electric-handle"] == right


def test_a_run_that_is_unknown_is_not_found(subscribe):
    for path in ("runs/run_0000", "runs/run_%00", "batches/batch_0000", "runs/x", "batches/y"):
        answer = subscribe(path).ask()
        assert (answer.status_code, answer.headers["x-should-retry"]) == (404, "false")
        assert answer.json()["error"]


def test_every_state_of_a_run_reads_right(subscribe):
    run, _ = executing_run()
    assert subscribe(f"runs/{run.pk}").values()[0]["status"] == "EXECUTING"


def test_needs_a_key(http):
    run = queued_run()
    for sent in ("", "Bearer nothing", "Basic eDp5"):
        answer = http.get(f"/realtime/v1/runs/{run.pk}?offset=-1", headers={"authorization": sent})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_key_that_is_revoked_meanwhile_hears_nothing_new(subscribe):
    run = queued_run()
    client = subscribe(f"runs/{run.pk}")
    client.values()

    def revoked():
        apikeys.revoke("subscriber", actor="user:vera")
        tell(run.pk, {"secret": 1})

    later(revoked)
    answer = client.ask(live=True)
    assert answer.status_code == 401
    assert "secret" not in answer.text


def test_a_public_token_sees_what_its_scopes_say(subscribe, http):
    run, other = queued_run(tags=("a",)), queued_run()
    key, secret = apikeys.create("signs", actor="cli:tests", key="k" * 40)

    def status(path, *scopes, **claims):
        token = publictokens.sign(key, secret, list(scopes), expires_at=time.time() + 60, **claims)
        http.headers["authorization"] = f"Bearer {token}"
        path, _, tag = path.partition("?tags=")
        return subscribe(path, **({"tags": tag} if tag else {})).ask()

    for scope in (f"read:runs:{run.pk}", "read:tasks:hello", "read:tags:a", "read:runs"):
        assert status(f"runs/{run.pk}", scope).status_code == 200
    assert status(f"runs/{other.pk}", "read:tags:a", f"read:runs:{run.pk}").status_code == 403
    assert status("runs?tags=a", "read:tags:a").status_code == 200
    assert status("runs?tags=b", "read:tags:a").status_code == 403
    assert status("batches/batch_1", "read:batch:batch_2").status_code == 403
    assert status(f"streams/{run.pk}/self/x", "write:runs").status_code == 405
    hidden = status(f"runs/{run.pk}", "read:runs", realtime={"skipColumns": ["payload"]})
    assert "payload" not in hidden.json()[0]["value"]


def test_browsers_may_ask_first(http):
    answer = http.options("/realtime/v1/runs/run_1", headers={"authorization": ""})
    assert answer.status_code == 204
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_another_method_is_refused(http):
    answer = http.post("/realtime/v1/runs/run_1", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_many_subscribers_are_told_to_come_back(subscribe, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "REALTIME_SUBSCRIBERS": 2}
    client = subscribe(f"runs/{queued_run().pk}")
    client.values()
    with ThreadPoolExecutor(3) as several:
        answers = list(several.map(lambda _: client.ask(live=True), range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "5"
    assert "limit" in refused.json()["error"]


def test_a_database_that_is_away_is_a_503_and_then_goes_on(subscribe, monkeypatch):
    run = queued_run()
    client = subscribe(f"runs/{run.pk}")
    client.values()

    def away(wanted):
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(hub, "read", away)
        answer = subscribe(f"runs/{queued_run().pk}").ask()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.values(live=True) == []
    lifecycle.cancel(run.pk, actor="user:vera")
    deadline = time.monotonic() + 3
    while not (news := client.values(live=True)) and time.monotonic() < deadline:
        pass
    assert [row["status"] for row in news] == ["CANCELED"]


def test_a_client_that_leaves_frees_everything(subscribe, http):
    client = subscribe(f"runs/{queued_run().pk}")
    client.values()
    (here,) = [one for loop, one in hub._hubs.items() if not loop.is_closed()]
    http.timeout = 0.2
    with pytest.raises(Exception, match="timed out"):
        client.ask(live=True)
    deadline = time.monotonic() + 0.4
    while here.count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (here.count, here.waiting, here.watchers, here.everybody) == (0, {}, {}, set())


def test_a_stop_answers_at_once(subscribe):
    client = subscribe(f"runs/{queued_run().pk}")
    client.values()
    ((loop, here),) = [(loop, one) for loop, one in hub._hubs.items() if not loop.is_closed()]
    timer = threading.Timer(0.05, lambda: loop.call_soon_threadsafe(here.stop))
    timer.start()
    began = time.monotonic()
    assert client.values(live=True) == []
    assert time.monotonic() - began < 0.3
