import time

import pytest
from django.db import OperationalError

from dashboard.api import limits
from dashboard.api.limits import Count
from engine import checks
from runs.lifecycle import apikeys
from runs.models import ApiKey, RequestWindow
from runs.rates import RateLimit
from tests.dashboard.api.conftest import Api
from tests.support.publictokens import signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def limited(settings):
    """A limit that does not end while a test runs."""

    def to(text):
        settings.TRACKSIDE = {**settings.TRACKSIDE, "API_RATE_LIMIT": text}

    return to


def statuses(client, count):
    return [client.get("/api/v1/runs?page[size]=1").status_code for _ in range(count)]


def test_every_answer_tells_how_the_caller_stands(api, limited):
    limited("10/1d")
    answers = [api.get("/api/v1/runs"), api.get("/api/v3/runs/run_1"), api.trigger(body=b"{")]
    assert [answer.status_code for answer in answers] == [200, 404, 400]
    assert [answer["x-ratelimit-remaining"] for answer in answers] == ["9", "8", "7"]
    assert {answer["x-ratelimit-limit"] for answer in answers} == {"10"}
    reset = int(answers[0]["x-ratelimit-reset"]) / 1000
    assert 0 <= reset - time.time() <= 86_400


def test_too_many_requests_are_refused_as_clients_expect(api, limited):
    limited("3/1d")
    assert statuses(api, 4) == [200, 200, 200, 429]
    answer = api.trigger()
    assert answer.status_code == 429
    assert answer["content-type"] == "application/problem+json"
    assert answer["x-ratelimit-remaining"] == "0"
    assert int(answer["x-ratelimit-reset"]) > time.time() * 1000
    assert int(answer["retry-after"]) > 0
    assert "3 per day" in answer.json()["error"]


def test_each_key_has_its_own(api, key, limited):
    limited("2/1d")
    statuses(api, 3)
    other = Api(apikeys.create("other", actor="x")[1])
    assert statuses(other, 3) == [200, 200, 429]


def test_public_tokens_of_a_key_share_one_and_leave_the_key_alone(api, key, limited):
    limited("2/1d")
    public = [Api(signed(key, "read:runs", n=number)) for number in range(3)]
    assert [statuses(client, 1)[0] for client in public] == [200, 200, 429]
    assert statuses(api, 2) == [200, 200]


def test_nobody_without_a_key_is_counted(db, limited):
    limited("1/1d")
    assert statuses(Api("wrong"), 3) == [401] * 3


def test_off_is_off(api, limited, django_assert_num_queries):
    limited("off")
    answer = api.get("/api/v1/runs")
    assert "x-ratelimit-limit" not in answer
    assert not RequestWindow.objects.exists()


def test_who_asks_seldom_costs_no_write(api, limited):
    limited("1000/1d")
    assert statuses(api, 10) == [200] * 10
    assert not RequestWindow.objects.exists()
    statuses(api, 1)
    assert RequestWindow.objects.get().used == 60


def process(limit):
    return Count(7, granted=limit // limits.FREE)


def taken(count, limit, most):
    return sum(count.take("key:1", limit) for _ in range(most))


def test_several_processes_keep_one_limit():
    """In turns, so that each has lots: what one may over the limit is its free part, unasked for."""
    limit, processes = 1000, [process(1000) for _ in range(3)]
    total = sum(taken(count, limit, 7) for _ in range(100) for count in processes)
    assert limit - 3 * limit // limits.LOTS <= total <= limit + 3 * limit // limits.FREE


def test_one_process_alone_has_the_whole_limit(django_assert_max_num_queries):
    with django_assert_max_num_queries(3 * (limits.LOTS + 1)):
        assert taken(process(1000), 1000, 1500) == 1000


def test_a_small_limit_is_exact():
    processes = [process(10) for _ in range(3)]
    assert sum(taken(count, 10, 1) for _ in range(9) for count in processes) == 10


def test_a_limit_that_is_none_is_named_at_the_start(limited):
    limited("many")
    assert any('TRACKSIDE["API_RATE_LIMIT"]' in problem for problem in checks.problems())
    limited("off")
    assert not list(checks.problems())


def test_callers_of_earlier_windows_are_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "MOST_KNOWN", 1)
    rate = RateLimit(100, per=1)
    for window in range(3):
        limits._count(f"key:{window}", window, rate)
    assert list(limits._counts) == ["key:2"]
    assert ApiKey.objects.count() == 0


def test_a_caller_that_waits_for_the_database_keeps_no_other_waiting(api, limited, monkeypatch):
    limited("1000/1d")
    other = Api(apikeys.create("other", actor="x")[1])

    def slow(caller, window, count):
        assert other.get("/api/v1/runs").status_code == 200
        return 0

    statuses(api, 10)
    monkeypatch.setattr("runs.lifecycle.allowances.take", slow)
    assert statuses(api, 1) == [200]


def test_a_database_that_is_away_is_no_refusal(api, limited, monkeypatch):
    limited("10/1d")

    def broken(*arguments):
        raise OperationalError("away")

    monkeypatch.setattr("runs.lifecycle.allowances.take", broken)
    assert statuses(api, 2) == [503, 503]
    monkeypatch.undo()
    assert statuses(api, 1) == [200]
