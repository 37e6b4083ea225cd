"""The client against the API of this process."""

from datetime import timedelta

import httpx
import jwt
import pytest
from asgiref.sync import async_to_sync

from runs.lifecycle import apikeys
from runs.models import Queue, Run
from tests.support.inprocess import AsyncInProcess, InProcess
from trackside import (
    AsyncClient,
    BatchItem,
    Client,
    NotFound,
    PermissionDenied,
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
    other = client.tokens.create()
    client.tokens.fail(other.id, "refused")
    assert client.tokens.retrieve(other.id).output_is_error


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


def test_schedules(client):
    made = client.schedules.create("hello", "0 5 * * *", deduplication_key="daily")
    assert client.schedules.create("hello", "0 6 * * *", deduplication_key="daily").id == made.id
    changed = client.schedules.update(
        made.id, task="hello", cron="0 7 * * *", timezone="Asia/Tokyo"
    )
    assert (changed.generator.expression, changed.timezone) == ("0 7 * * *", "Asia/Tokyo")
    assert not client.schedules.deactivate(made.id).active
    assert client.schedules.activate(made.id).active
    assert [one.id for one in client.schedules.list()] == [made.id]
    client.schedules.delete(made.id)
    with pytest.raises(NotFound):
        client.schedules.retrieve(made.id)
    assert "Europe/Zurich" in client.schedules.timezones(exclude_utc=True)


def test_environment_variables(key):
    admin = apikeys.create("admin", actor="cli:tests", role="admin")[1]
    client = Client("http://testserver", admin, transport=InProcess())
    client.envvars.create("A", "1", environment="dev")
    client.envvars.upload({"A": "2", "B": "3"}, override=True, environment="dev")
    client.envvars.update("B", "4", environment="dev")
    assert {one.name: one.value for one in client.envvars.list(environment="dev")} == {
        "A": "2",
        "B": "4",
    }
    client.envvars.delete("A", environment="dev")
    with pytest.raises(NotFound):
        client.envvars.retrieve("A", environment="dev")


def test_bulk_actions(client, run):
    made = client.bulk_actions.create("cancel", run_ids=[run.id], name="cleanup")
    assert client.bulk_actions.retrieve(made).type == "CANCEL"
    assert [one.id for one in client.bulk_actions.list()] == [made]
    client.bulk_actions.abort(made)


def test_a_public_token_it_signed_is_admitted(client, run):
    token = client.auth.create_public_token([f"read:runs:{run.id}"])
    public = Client("http://testserver", token, transport=InProcess())
    assert public.runs.retrieve(run.id).status == "DELAYED"
    with pytest.raises(PermissionDenied):
        public.tasks.trigger("hello")
    assert run.public_access_token not in repr(run)


@pytest.fixture
def store(settings, tmp_path):
    """Packets of this test alone."""
    place = {"location": str(tmp_path / "packets")}
    backend = {"BACKEND": "dashboard.packetstore.WholeFiles", "OPTIONS": place}
    settings.STORAGES = {**settings.STORAGES, "packets": backend}


def test_uploads_large_payloads_and_names_them(client, store, monkeypatch):
    monkeypatch.setattr("trackside.packets.LARGE", 20)
    large = {"text": "é" * 20}
    run = client.tasks.trigger("hello", large, tags="a")
    items = [BatchItem("hello", large), BatchItem("hello", 1, {"tags": ["b"]})]
    batch = client.batches.retrieve(client.batches.trigger(items).id)
    again = client.runs.replay(run.id, payload=[large])
    made = [client.runs.retrieve(one) for one in (run.id, again.id, *batch.runs)]
    assert [one.payload for one in made] == [large, [large], large, 1]
    assert [one.tags for one in made] == [["a"], ["a"], [], ["b"]]


def test_a_large_payload_is_uploaded_without_the_key(server):
    told = {"presignedUrl": "https://store.example/p?signature=x", "storagePath": "p"}
    far = server(*(httpx.Response(200, json=one) for one in (told, {}, {"id": "run_1"})))
    far.client().tasks.trigger("hello", "x" * 131_070)
    place, put, trigger = far.asked
    assert (place.method, put.method, str(put.url)) == ("PUT", "PUT", told["presignedUrl"])
    assert (put.headers["content-type"], len(put.content)) == ("application/json", 131_072)
    assert "authorization" not in put.headers
    assert b'"payloadType": "application/store"' in trigger.content
    assert len(trigger.content) < 200


def test_downloads_what_is_large(client, run, monkeypatch):
    monkeypatch.setattr("dashboard.api.objects.INLINE", 2)
    assert client.runs.retrieve(run.id).payload == client.runs.payload(run.id) == {"n": 1}
    with pytest.raises(NotFound, match="output"):
        client.runs.output(run.id)
