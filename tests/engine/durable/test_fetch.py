"""The tries of an HTTP request are remembered by its run; no network."""

import httpx
import pytest

from engine import retry, step, task
from tests.engine.sdk.test_fetch import URL, Server

RULES = {
    "by_status": {
        "429": {
            "strategy": "headers",
            "reset_header": "retry-after",
            "reset_format": "retry_after",
        },
        "5xx": {"max_attempts": 3, "min_timeout": 20, "randomize": False},
    },
    "connection_error": {"max_attempts": 2, "min_timeout": 30, "randomize": False},
}


def asked(server, *, is_async):
    """A task that asks the server."""

    def body():
        return retry.fetch(URL, client=server.client(), retry=RULES).status_code

    async def coroutine():
        answer = await retry.afetch(URL, client=server.async_client(), retry=RULES)
        return answer.status_code

    return task(id="ask")(coroutine if is_async else body)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_long_pause_leaves_the_worker_and_the_count_stays(trackside, is_async):
    server = Server(httpx.Response(429, headers={"retry-after": "600"}), 503, 200)
    run = trackside.run(asked(server, is_async=is_async))
    assert run.output == 200
    assert [one.seconds for one in run.waits] == [pytest.approx(600, abs=2), 40]
    assert [r.headers.get("x-retry-count") for r in server.requests] == [None, "1", "2"]
    assert len(run.attempts) == 1


def test_when_no_try_is_left_the_answer_is_returned(trackside):
    run = trackside.run(asked(server := Server(500), is_async=False))
    assert (run.output, len(server.requests)) == (500, 3)


def test_the_next_attempt_begins_anew(trackside):
    server = Server(httpx.ConnectError("refused"))
    run = trackside.run(asked(server, is_async=False), max_attempts=2)
    assert (run.status, run.error.name) == ("FAILED", "ConnectError")
    assert [r.headers.get("x-retry-count") for r in server.requests] == [None, "1"] * 2


def test_requests_do_not_share_their_tries(trackside):
    first, second = Server(503, 200), Server(503, 200)

    @task(id="ask")
    def body():
        for server in (first, second):
            retry.fetch(URL, client=server.client(), retry=RULES)

    assert trackside.run(body).ok
    counts = [r.headers.get("x-retry-count") for r in second.requests]
    assert counts == [None, "1"]


def test_inside_a_step_it_waits_in_its_process(trackside):
    server = Server(503, 200)

    @task(id="ask")
    def body():
        return step(
            "ask",
            lambda: retry.fetch(URL, client=server.client(), retry=RULES).status_code,
        )

    run = trackside.run(body)
    assert (run.output, run.waits) == (200, [])
