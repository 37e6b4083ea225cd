"""The client against the API of this process."""

from datetime import timedelta

import httpx
import jwt
import pytest
from asgiref.sync import async_to_sync

from runs.models import Queue, Run
from tests.support.inprocess import AsyncInProcess
from trackside import (
    AsyncClient,
    BatchItem,
    NotFound,
    StillRunning,
    Unauthenticated,
    Unprocessable,
)


@pytest.fixture
def run(client):
    return client.tasks.trigger("hello", {"n": 1}, tags="a", delay="1h")


def test_triggers_a_run_with_options(client):
    made = client.tasks.trigger(
        "hello",
        {"to": "ann"},
        tags=["a", "b"],
        delay=timedelta(hours=2),
        ttl=600,
        idempotency_key="order-7",
        metadata={"step": 1},
        max_attempts=2,
    )
    again = client.tasks.trigger("hello", idempotency_key="order-7")
    run = client.runs.retrieve(made.id)
    assert (again.id, again.is_cached) == (made.id, True)
    assert (run.payload, run.tags, run.status) == ({"to": "ann"}, ["a", "b"], "DELAYED")
    assert (run.idempotency_key, run.ttl, run.metadata) == ("order-7", "600s", {"step": 1})


def test_no_payload_is_another_than_none(client):
    assert Run.objects.get(pk=client.tasks.trigger("hello").id).payload is None
    assert Run.objects.get(pk=client.tasks.trigger("hello", None).id).payload == "null"


def test_an_option_the_server_refuses_is_an_error(client):
    with pytest.raises(Unprocessable, match="queue"):
        client.tasks.trigger("hello", queue="nowhere")


def test_lists_all_pages(client, monkeypatch):
    monkeypatch.setattr("trackside.calls.common.PAGE", 2)
    made = [client.tasks.trigger("hello", tags="x").id for _ in range(5)]
    client.tasks.trigger("other")
    assert [run.id for run in client.runs.list(task="hello", tag=["x", "y"])] == made[::-1]
    assert [run.id for run in client.runs.list(task="hello", limit=3)] == made[:1:-1]


def test_polls_until_the_run_has_ended(client, run, pauses):
    with pytest.raises(StillRunning):
        client.runs.poll(run.id, timeout=0)
    client.runs.cancel(run.id, reason="enough")
    assert client.runs.poll(run.id).status == "CANCELED"


def test_acts_on_runs(client, run):
    client.runs.add_tags(run.id, ["b"])
    assert client.runs.update_metadata(run.id, {"a": 1}) == {"a": 1}
    changed = client.runs.update_metadata(
        run.id, operations=[{"type": "increment", "key": "a", "value": 2}]
    )
    assert changed == client.runs.metadata(run.id) == {"a": 3}
    assert client.runs.reschedule(run.id, "2h").tags == ["a", "b"]
    replayed = client.runs.retrieve(client.runs.replay(run.id, payload=5, delay=60).id)
    assert (replayed.payload, replayed.status) == (5, "DELAYED")
    assert client.runs.trace(run.id)["trace"]["rootSpan"]["id"]
    assert client.runs.events(run.id)


def test_a_run_that_is_not_there_is_not_found(client):
    with pytest.raises(NotFound):
        client.runs.retrieve("run_00000000000000000000000000")


def test_a_wrong_key_is_unauthenticated(client):
    with pytest.raises(Unauthenticated):
        type(client)("http://testserver", "wrong", transport=client._driver.http._transport).runs.retrieve("run_1")  # fmt: skip


def test_a_batch_has_its_items_in_two_phases(client):
    items = [BatchItem("hello", {"n": n}, {"tags": "b"}) for n in range(3)]
    made = client.batches.trigger(items, idempotency_key="newsletter")
    found = client.batches.retrieve(made.id)
    assert (found.run_count, len(found.runs), found.status) == (3, 3, "PROCESSING")
    assert client.batches.trigger(items, idempotency_key="newsletter").is_cached
    assert client.batches.results(made.id) == []
    assert client.tasks.batch_trigger("hello", [1, 2], tags="c").run_count == 2


def test_queues(client):
    Queue.objects.create(name="a/b c", concurrency_limit=3)
    assert client.queues.pause("a/b c", reason="incident").paused
    assert not client.queues.resume("a/b c").paused
    assert client.queues.override("a/b c", 1).concurrency.override == 1
    assert client.queues.reset("a/b c").concurrency_limit == 3
    named = client.queues.retrieve("a/b c")
    assert client.queues.retrieve(named.id).name == "a/b c"
    assert "a/b c" in [queue.name for queue in client.queues.list()]


def test_wait_tokens(client):
    made = client.tokens.create(timeout="1h", tags=["t"], idempotency_key="k")
    assert client.tokens.create(idempotency_key="k").is_cached
    client.tokens.complete(made.id, {"ok": True})
    assert client.tokens.retrieve(made.id).output == '{"ok": true}'
    assert [token.id for token in client.tokens.list(status="COMPLETED")] == [made.id]


def test_frees_an_idempotency_key(client):
    made = client.tasks.trigger("hello", idempotency_key="order-8")
    client.idempotency_keys.reset("hello", "order-8")
    assert client.tasks.trigger("hello", idempotency_key="order-8").id != made.id


def test_the_async_client_does_the_same(key):
    async def work():
        async with AsyncClient("http://testserver", key, transport=AsyncInProcess()) as client:
            made = await client.tasks.batch_trigger("hello", [1, 2, 3])
            found = (await client.batches.retrieve(made.id)).runs
            listed = [run.id async for run in client.runs.list(batch=made.id)]
            return found, listed, repr(client)

    found, listed, shown = async_to_sync(work)()
    assert sorted(found) == sorted(listed)
    assert shown == "AsyncClient('http://testserver')"


@pytest.mark.once
def test_signs_public_tokens_itself(server):

    far = server(httpx.Response(200, json={"sub": "env_dev", "pub": True}))
    token = far.client().auth.create_public_token(["read:runs:run_1"], expires_in=60, once=True)
    claims = jwt.decode(
        token,
        "tr_dev_secret_of_more_than_32_characters",
        algorithms=["HS256"],
        audience="https://api.trigger.dev",
        issuer="https://id.trigger.dev",
    )
    assert (claims["sub"], claims["scopes"]) == ("env_dev", ["read:runs:run_1"])
    assert claims["exp"] - claims["iat"] == 60
    assert claims["otu"] is True
