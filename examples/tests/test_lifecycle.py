"""Hooks, decisions about retries, and a run that is canceled."""

import time

import pytest
from lifecycle import all_hooks, ask_a_limited_service, count_until_canceled, wait_with_hooks

from engine.testing import Trackside


def spoken(run):
    return [message.partition(" {")[0] for message in run.messages]


def test_the_hooks_of_a_success(trackside: Trackside):
    run = trackside.run(all_hooks)
    assert spoken(run) == ["on_start_attempt", "on_success", "on_complete"]


def test_the_hooks_of_a_failure(trackside: Trackside):
    run = trackside.run(all_hooks, {"fail": 2})
    attempt = ["on_start_attempt", "catch_error"]
    assert spoken(run)[:6] == [*attempt, *attempt, "on_failure", "on_complete"]
    assert [one.retry_delay for one in run.attempts] == [0.5, None]


def test_the_hooks_of_a_wait(trackside: Trackside):
    run = trackside.run(wait_with_hooks, {"seconds": 3600})
    assert spoken(run) == ["on_wait", "on_resume"]
    assert run.waits[0].seconds == 3600


@pytest.mark.parametrize(("status", "delays"), [(429, [2.0, None]), (401, [None])])
def test_the_service_decides_when_to_ask_again(trackside: Trackside, status, delays):
    run = trackside.run(ask_a_limited_service, {"status": status})
    assert [one.retry_delay and round(one.retry_delay) for one in run.attempts] == delays


def test_what_was_counted_is_kept(trackside: Trackside, monkeypatch):
    monkeypatch.setattr("builtins.print", lambda count: trackside.cancel())
    run = trackside.run(count_until_canceled, {"seconds": 60})
    assert run.status == "CANCELED"
    assert 'storing what is there {"counted": 1}' in run.messages


def test_nothing_is_slept(trackside: Trackside):
    began = time.monotonic()
    assert trackside.run(wait_with_hooks, {"seconds": 86400}).ok
    assert time.monotonic() - began < 5
