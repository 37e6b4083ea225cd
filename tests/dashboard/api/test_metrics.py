"""What Prometheus reads: its own parser takes it, nothing in it is a scan, and not everybody may."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from dashboard.monitoring import families
from dashboard.monitoring.exposition import exposition
from runs import lifecycle
from runs.lifecycle import apikeys, depths, rollups, totals
from runs.models import ApiKey, Role, Run, WorkerSession
from tests.support.past import past_run
from tests.support.rows import executing_run, make_queue, make_session, queued_run

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/metrics"
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _anew():
    exposition.forget()


@pytest.fixture
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def bearer(role=Role.VIEWER, **facts):
    name = f"key {ApiKey.objects.count()}"
    _, key = apikeys.create(name, role=role, actor="cli:tests", **facts)
    return {"authorization": f"Bearer {key}"}


def scraped(headers=None):
    """Each value by its name and the values of its labels."""
    exposition.forget()
    answer = Client(headers=headers or bearer()).get(ADDRESS)
    assert answer.status_code == 200
    assert answer["content-type"].startswith("text/plain; version=0.0.4")
    samples = {}
    for family in text_string_to_metric_families(answer.text):
        for one in family.samples:
            place = (one.name.removeprefix("trackside_"), *one.labels.values())
            assert place not in samples, place
            samples[place] = one.value
    return samples


def test_what_runs_came_to(noon):
    past_run(NOON - timedelta(hours=1), took=0.7)
    past_run(NOON - timedelta(hours=1), "FAILED", attempt_number=2)
    past_run(NOON - timedelta(hours=1), task_id='odd "name"\n\\')
    while rollups.roll_up():
        pass
    found = scraped()
    assert found["runs_ended_total", "COMPLETED", "hello"] == 1
    assert found["runs_ended_total", "FAILED", "hello"] == 1
    assert found["runs_ended_total", "CANCELED", "hello"] == 0
    assert found["runs_ended_total", "COMPLETED", 'odd "name"\n\\'] == 1
    assert found["attempts_total", "hello"] == 3
    assert found["run_duration_seconds_bucket", "0.5", "hello"] == 0
    assert found["run_duration_seconds_bucket", "1", "hello"] == 1
    assert found["run_duration_seconds_bucket", "+Inf", "hello"] == 2
    assert found["queue_wait_seconds_bucket", "+Inf", "task/hello"] == 2


def test_how_it_stands():
    make_queue("slow", concurrency_limit=3)
    queued_run("late", queue="slow")
    lifecycle.pause("slow", actor="cli:tests")
    executing_run("mail")
    WorkerSession.objects.filter(slots=100).update(draining=True)
    make_session(slots=4)
    depths.sample_depths()
    queued_run("later", delay=60)
    totals.count_missed(2)
    found = scraped()
    assert found["queue_depth", "slow"] == 1
    assert found["queue_depth", "task/mail"] == 0
    assert found["queue_executing", "task/mail"] == 1
    assert found["queue_oldest_seconds", "slow"] >= 0
    assert found["queue_limit", "slow"] == 3
    assert ("queue_limit", "task/mail") not in found
    assert (found["queue_paused", "slow"], found["queue_paused", "task/mail"]) == (1, 0)
    assert found["runs_open", "QUEUED"] == found["runs_open", "DELAYED"] == 1
    assert found["runs_open", "EXECUTING"] == 1
    assert (found["clusters", "alive"], found["clusters", "draining"]) == (1, 1)
    assert (found["worker_slots",], found["worker_slots_busy",]) == (104, 1)
    assert found["schedule_missed_total",] == 2
    assert found["database_async_commit",] == 0 or connection.vendor == "postgresql"
    assert not any(value for (name, *_), value in found.items() if name == "scrape_failed")


def test_queues_are_counted_where_no_cluster_looked():
    queued_run()
    assert scraped()["queue_depth", "task/hello"] == 1


def test_labels_are_bounded(settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "METRICS_NAMES": 2}
    for name in ("a", "b", "c", "other"):
        make_queue(name)
    for name in ("a", "b", "c", "other"):
        queued_run("hello", queue=name)
    depths.sample_depths()
    depth = {place[1]: value for place, value in scraped().items() if place[0] == "queue_depth"}
    assert depth == {"a": 1, "b": 1, "other": 2}


def test_ten_scrapers_cost_one():
    headers = bearer()
    scraped(headers)
    with CaptureQueriesContext(connection) as captured:
        for _ in range(9):
            Client(headers=headers).get(ADDRESS)
    assert not [one for one in captured.captured_queries if "runs_total" in one["sql"]]


def test_the_same_statements_however_many_runs_there_are():
    def statements():
        exposition.forget()
        with CaptureQueriesContext(connection) as captured:
            exposition.text()
        return [one["sql"] for one in captured.captured_queries if " FROM " in one["sql"]]

    make_session()
    queued_run("hello")
    depths.sample_depths()
    few = statements()
    for _ in range(5):
        queued_run("hello")
        queued_run("mail")
    assert len(statements()) == len(few) <= 25
    assert Run.objects.count() == 11


def test_a_part_that_fails_is_left_out(monkeypatch):
    def schedules():
        raise DatabaseError("away")
        yield

    monkeypatch.setattr(families, "PARTS", (schedules, families.fleet))
    found = scraped()
    assert found["scrape_failed", "schedules"] == 1
    assert found["scrape_failed", "fleet"] == 0
    assert found["clusters", "alive"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer tr_wrong"}, 401), ({"authorization": "Bearer "}, 401)],
)
def test_strangers_are_refused(headers, status):
    assert Client(headers=headers).get(ADDRESS).status_code == status


def test_keys_of_viewers_alone(client):
    assert Client(headers=bearer(Role.TRIGGER)).get(ADDRESS).status_code == 403
    assert Client(headers=bearer(Role.OPERATOR)).get(ADDRESS).status_code == 200
    restricted = bearer(Role.VIEWER, tasks=["hello"])
    assert Client(headers=restricted).get(ADDRESS).status_code == 403
    assert Client(headers=bearer()).post(ADDRESS).status_code == 405


def test_a_token_of_its_own(settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "METRICS_TOKEN": "a-long-word"}
    assert scraped({"authorization": "Bearer a-long-word"})["worker_slots",] == 0
    assert Client(headers={"authorization": "Bearer a-long"}).get(ADDRESS).status_code == 401
    runs = Client(headers={"authorization": "Bearer a-long-word"}).get("/api/v1/runs")
    assert runs.status_code == 401
