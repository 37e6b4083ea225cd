"""Plans, and what the mutants and the reading of logs rest on."""

from collections import Counter

import pytest
from django.db import connection, transaction

from tests.chaos import mutants, plan
from tests.chaos.command import without
from tests.chaos.evidence import mistakes_in

FIGURES = plan.Figures(runs=100, kills=20, stops=3, losses=2, restarts=2, crashes=1)


def test_one_seed_is_one_plan():
    assert plan.made(7, FIGURES) == plan.made(7, FIGURES)
    assert plan.made(7, FIGURES) != plan.made(8, FIGURES)


def test_a_plan_is_read_as_it_was_written(tmp_path):
    made = plan.made(7, FIGURES)
    made.save(tmp_path / "plan.json")
    assert plan.load(tmp_path / "plan.json") == made


def test_every_kind_of_work_is_in_a_small_plan_too():
    made = plan.made(1, plan.Figures(runs=30))
    assert set(Counter(item["kind"] for item in made.items)) == set(plan.MIX)


def test_faults_come_in_order_and_half_of_the_kills_are_aimed():
    faults = plan.made(1, FIGURES).faults
    assert [one["after"] for one in faults] == sorted(one["after"] for one in faults)
    assert sum(one["kind"] == "aim" for one in faults) == FIGURES.kills // 2


def test_a_plan_shrinks_by_parts():
    made = plan.made(1, FIGURES)
    halves = list(without(made, 2))
    assert [len(half.faults) for half in halves] == [14, 14]
    assert sorted(map(str, halves[0].faults + halves[1].faults)) == sorted(map(str, made.faults))


@pytest.mark.django_db
@pytest.mark.parametrize("name", mutants.SQL)
def test_a_mutant_still_finds_what_it_changes(name):
    if connection.vendor == "sqlite":
        pytest.skip("the server's functions")
    with transaction.atomic(), connection.cursor() as cursor:
        mutants.plant(name, cursor)
        transaction.set_rollback(True)


def test_tracebacks_that_a_fault_explains_are_no_mistakes():
    told = [
        "2026-01-01 00:00:00,000 WARNING trackside: The dispatcher will try again in 0.2 s.",
        "Traceback (most recent call last):",
        "  File x, line 1, in y",
        "2026-01-01 00:00:00,001 WARNING trackside: another process",
        "django.db.utils.OperationalError: server closed the connection",
        "Traceback (most recent call last):",
        "  File x, line 1, in y",
        "KeyError: 'n'",
        "2026-01-01 00:00:00,000 CRITICAL trackside: The cluster's supervisor ended unexpectedly (-9).",
        "2026-01-01 00:00:00,000 CRITICAL trackside: Worker 1 ends because of a mistake in Trackside.",
    ]
    assert list(mistakes_in(told)) == [told[7], told[9]]
