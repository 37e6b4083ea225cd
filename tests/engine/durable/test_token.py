import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pydantic import BaseModel

from engine import (
    InvalidOption,
    InvalidPayload,
    WaitpointFailedError,
    WaitpointTimeoutError,
    task,
    wait,
)
from runs.errors import NotFound, PayloadTooLarge
from runs.lifecycle import tokens
from runs.models import Run, Waiter, Waitpoint
from tests.support.driver import Driver


def later(**parts):
    return time_machine.travel(timezone.now() + timedelta(**parts), tick=True)


def asker(**options):
    @task(id="ask")
    def ask():
        token = wait.create_token(**options)
        result = wait.for_token(token)
        return [token.id, result.ok, result.output, str(result.error or "")]

    return ask


def output(run: Any) -> Any:
    return json.loads(Run.objects.get(pk=run.pk).output)


def test_a_run_waits_until_its_token_is_completed(driver: Driver):
    run = driver.finish(asker(tags=["approval"]))
    token = Waitpoint.objects.get()
    assert (run.status, token.tag_list, token.run_id) == ("WAITING", ["approval"], run.pk)
    wait.complete_token(token.pk, {"approved": True})
    driver.until_idle()
    assert output(run) == [token.pk, True, {"approved": True}, ""]
    assert Waitpoint.objects.count() == 1


def test_the_first_completion_counts(driver: Driver):
    run = driver.finish(asker())
    token = Waitpoint.objects.get()
    wait.complete_token(token.pk, 1)
    wait.complete_token(token.pk, 2)
    driver.until_idle()
    assert output(run)[2] == 1


def test_a_token_completed_before_anybody_waits_is_no_wait(driver: Driver):
    token = wait.create_token()
    wait.complete_token(token, "early")

    @task
    def late():
        return wait.for_token(token.id).unwrap()

    run = driver.finish(late)
    assert (run.status, run.output) == ("COMPLETED", '"early"')
    assert len(driver.segments) == 1


def test_a_token_times_out(driver: Driver):
    run = driver.finish(asker(timeout="10m"))
    with later(minutes=11):
        driver.due()
    token = Waitpoint.objects.get()
    assert token.status == "TIMED_OUT"
    found = output(run)
    assert found[:3] == [token.pk, False, None]
    assert "in time" in found[3]
    wait.complete_token(token.pk, 1)
    assert Waitpoint.objects.get().status == "TIMED_OUT"


def test_unwrap_of_a_time_out_raises(driver: Driver):
    token = wait.create_token(timeout=1)
    tokens.time_out(token.id, actor="user:ada")

    @task
    def late():
        with pytest.raises(WaitpointTimeoutError):
            wait.for_token(token).unwrap()

    assert driver.finish(late).status == "COMPLETED"


def test_a_token_that_fails_is_an_error_in_the_run(driver: Driver):
    @task(id="asks")
    def asks():
        found = wait.for_token(wait.create_token())
        try:
            found.unwrap()
        except WaitpointFailedError as error:
            return [found.ok, str(error)]

    run = driver.finish(asks)
    tokens.fail(Waitpoint.objects.get().pk, "the bank refused", by="user:ada")
    driver.until_idle()
    assert output(run) == [False, "the bank refused"]


def test_several_runs_wait_for_one_token(driver: Driver):
    token = wait.create_token()

    @task
    def waiter():
        return wait.for_token(token).output

    runs = [driver.finish(waiter) for _ in range(3)]
    assert Waiter.objects.count() == 3
    wait.complete_token(token, "go")
    driver.until_idle()
    assert [output(run) for run in runs] == ["go"] * 3


def test_a_key_finds_the_same_token_until_it_expires(driver: Driver):
    first = wait.create_token(idempotency_key="order-7", idempotency_key_ttl="1h")
    again = wait.create_token(idempotency_key="order-7")
    assert (again.id, again.is_cached, first.is_cached) == (first.id, True, False)
    assert again.url == first.url
    with later(hours=2):
        assert wait.create_token(idempotency_key="order-7").id != first.id


def test_a_schema_says_what_may_complete_it(driver: Driver):
    class Decision(BaseModel):
        approved: bool

    token = wait.create_token(schema=Decision)
    with pytest.raises(InvalidPayload):
        wait.complete_token(token, {"approved": "perhaps"})
    wait.complete_token(token, {"approved": True})
    assert wait.retrieve_token(token)["output"] == {"approved": True}


def test_tokens_are_listed_by_status_and_tag(driver: Driver):
    first, second = wait.create_token(tags="a"), wait.create_token(tags=["a", "b"])
    wait.complete_token(first)
    assert [one["id"] for one in wait.list_tokens(tags="a")] == [second.id, first.id]
    assert [one["id"] for one in wait.list_tokens(status="WAITING")] == [second.id]
    assert [one["id"] for one in wait.list_tokens(tags="b")] == [second.id]


@pytest.mark.parametrize("asked", [{"status": "DONE"}, {"limit": 0}, {"limit": "all"}])
def test_a_list_that_cannot_be_is_refused(driver: Driver, asked):
    with pytest.raises(InvalidOption, match=f"{next(iter(asked))} is "):
        wait.list_tokens(**asked)


def test_what_completes_a_token_is_limited_as_payloads_are(driver: Driver, settings):
    token = wait.create_token()
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 100}
    with pytest.raises(PayloadTooLarge, match="the limit is 100"):
        wait.complete_token(token, "x" * 101)
    assert wait.retrieve_token(token)["status"] == "WAITING"


def test_an_address_is_signed(driver: Driver):
    token = wait.create_token()
    _, _, signature = token.url.rpartition("/")
    assert len(signature) == 64
    assert tokens.is_signed(token.id, signature)
    assert not tokens.is_signed(wait.create_token().id, signature)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": "soon"},
        {"tags": ["t"] * 1 + [str(n) for n in range(10)]},
        {"tags": "a\x00"},
        {"idempotency_key": "\ud800"},
        {"idempotency_key": ""},
        {"idempotency_key": 3},
        {"timeout": datetime(2030, 1, 1)},  # noqa: DTZ001  without a time zone
    ],
)
def test_refuses_bad_options(driver: Driver, options):
    with pytest.raises(InvalidOption):
        wait.create_token(**options)


def test_refuses_what_is_no_token(driver: Driver):
    with pytest.raises(InvalidOption):
        wait.complete_token("run_1")
    with pytest.raises(NotFound):
        wait.complete_token("waitpoint_nobody")


@pytest.mark.parametrize("tags", ["", ["a", ""], ["x" * 129], [f"t{n}" for n in range(11)]])
@pytest.mark.django_db
def test_the_tags_of_a_token_are_tags_as_those_of_runs(tags):
    with pytest.raises(InvalidOption, match=r"[Tt]ag") as refusal:
        wait.create_token(tags=tags)
    assert refusal.value.option == "tags"


def test_too_many_tags_are_those_of_a_token():
    with pytest.raises(InvalidOption, match="A token has at most 10 tags; got 11"):
        wait.create_token(tags=[f"t{n}" for n in range(11)])
