"""The board for Grafana and the rules for Prometheus name what is there, and the docs name all of it."""

import json
import re
from pathlib import Path

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from dashboard.monitoring import families, served
from dashboard.monitoring.exposition import exposition
from runs.lifecycle import rollups
from tests.support.past import past_run
from tests.support.rows import make_queue

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "examples" / "monitoring" / "grafana-board.json"
RULES = ROOT / "examples" / "monitoring" / "prometheus-rules.yml"
PAGE = ROOT / "docs" / "observability.md"
#: What the other database, and a pool, tell.
ELSEWHERE = {
    "trackside_database_oldest_snapshot_seconds", "trackside_database_connections",
    "trackside_database_connections_max", "trackside_database_transaction_age",
    "trackside_database_clock_ahead_seconds", "trackside_table_dead_rows", "trackside_table_live_rows",
    "trackside_database_log_bytes", "trackside_web_pool_size", "trackside_web_pool_available",
    "trackside_web_pool_waiting", "trackside_web_pool_timeouts_total",
}  # fmt: skip


@pytest.fixture
def exposed(db):
    """The labels of every sample, by its name."""
    make_queue("slow", concurrency_limit=1)
    past_run(timezone.now())
    rollups.mark()
    for tally in rollups.tally(
        timezone.now() - rollups.HOUR, timezone.now() + rollups.MINUTE, rollups.Step.MINUTE
    ).items():
        rollups.totals.add(dict([tally]))
    served.note(200, 0.1)
    exposition.forget()
    found = {}
    for family in text_string_to_metric_families(exposition.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def named(text):
    return set(re.findall(r"trackside_\w+", text))


def expressions():
    board = json.loads(BOARD.read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    rules = yaml.safe_load(RULES.read_text())
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])


def test_every_metric_that_is_asked_for_is_exposed(exposed):
    asked = {name for text in (*expressions(), BOARD.read_text()) for name in named(text)}
    assert asked - exposed.keys() - ELSEWHERE == set()
    assert len(asked) > 25


def test_labels_that_are_asked_for_are_there(exposed):
    for text in expressions():
        for name, labels in re.findall(r"(trackside_\w+)\{([^}]*)\}", text):
            asked = set(re.findall(r"(\w+)(?:=~|!=|=)", labels))
            assert asked <= exposed.get(name, asked), (name, asked)


def test_what_differs_by_database_is_told_by_the_code():
    source = Path(families.__file__).read_text()
    for name in ELSEWHERE:
        assert f'"{name.removeprefix("trackside_").removesuffix("_total")}"' in source


def test_the_docs_name_every_metric(exposed):
    page = PAGE.read_text()
    for name in sorted(exposed.keys() | ELSEWHERE):
        short = "…_" + name.rpartition("pool_")[2]
        assert name in page or short in page, name


def test_the_board_and_the_rules_are_whole():
    board = json.loads(BOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) >= 25
    titles = [panel["title"] for panel in board["panels"]]
    assert {"Failure ratio", "Wait in the queue", "Slots in use", "Missed fires"} <= set(titles)
    rules = [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)
    for text in expressions():
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")
