import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from runs.health import all as health
from runs.models import WorkerSession
from tests.support.rows import make_session, queued_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(capsys):
    def run(*arguments):
        call_command("health", *arguments)
        return capsys.readouterr().out

    return run


def refused(*arguments):
    with pytest.raises(SystemExit) as stop:
        call_command("health", *arguments)
    return str(stop.value)


def test_says_how_everything_stands(told, monkeypatch):
    make_session()
    monkeypatch.setattr(health, "GROUPS", {"Database": (), "Clusters": health.GROUPS["Clusters"]})
    text = told()
    assert "well   Clusters" in text
    lines = [json.loads(line) for line in told("--json").splitlines()]
    assert {line["group"] for line in lines} == {"Database", "Clusters"}
    assert all(line["text"] for line in lines)
    WorkerSession.objects.all().delete()
    queued_run()
    assert refused() == "1"


def test_whether_a_cluster_of_this_machine_lives(told):
    assert refused("--cluster") == "No cluster of this machine has registered."
    make_session()
    assert told("--cluster") == "1 of 1 send heartbeats.\n"
    assert "named other" in refused("--cluster", "other")
    assert "takes no runs" in refused("--cluster", "--ready")
    WorkerSession.objects.update(tasks='["hello"]')
    assert told("--cluster", "trackside", "--ready")
    WorkerSession.objects.update(draining=True)
    assert "takes no runs" in refused("--cluster", "--ready")
    WorkerSession.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert "Silent since" in refused("--cluster")
    WorkerSession.objects.update(host="elsewhere")
    assert "No cluster" in refused("--cluster")


def test_a_database_that_is_away(told, monkeypatch):
    def away():
        raise OperationalError("connection refused\nmore of it")

    monkeypatch.setattr("runs.reads.sessions.living", away)
    said = "The database cannot be reached: connection refused"
    assert refused("--cluster") == said
    assert told("--cluster", "--lenient") == f"{said}\n"
