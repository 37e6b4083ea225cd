from itertools import product
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from runs import lifecycle, states
from runs.lifecycle.transition import move
from runs.models import Event, EventKind, Run
from runs.states import FINAL, LEASED, OPEN, PENDING, TRANSITIONS, RunStatus
from tests.support.drawing import drawn
from tests.support.factories import history, run_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", RunStatus)
def test_moves_only_where_the_table_allows(status):
    run = run_in(status)
    for to in RunStatus:
        with transaction.atomic():
            assert move(run.pk, to, EventKind.REPAIRED, actor="t") == (to in TRANSITIONS[status])
            transaction.set_rollback(True)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_database_keeps_a_final_status(status):
    run = run_in(status)
    for to in set(RunStatus) - {status}:
        finished = None if to in OPEN else run.finished_at
        with pytest.raises(DatabaseError, match="cannot"), transaction.atomic():
            Run.objects.filter(pk=run.pk).update(status=to, finished_at=finished)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_no_verb_moves_a_finished_run(status):
    run = run_in(status)
    known = history(run.pk)
    lifecycle.cancel(run.pk, actor="user:ada")
    lifecycle.promote_due()
    lifecycle.expire_due()
    lifecycle.unpark([run.task_id])
    assert Run.objects.get(pk=run.pk).status == status
    assert history(run.pk) == known


@pytest.mark.parametrize("status", RunStatus)
def test_final_means_it_has_an_end(status):
    run = run_in(status)
    assert (run.finished_at is not None) == (status in FINAL)
    wrong = None if status in FINAL else run.updated_at
    with pytest.raises(DatabaseError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(finished_at=wrong)


def test_an_event_cannot_be_edited():
    run = run_in(RunStatus.QUEUED)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.filter(run_id=run.pk).update(reason="it was not me")


def test_every_status_is_in_one_place():
    assert set(TRANSITIONS) == set(RunStatus)
    assert set(RunStatus) == FINAL | OPEN
    assert not PENDING & LEASED
    assert all(not TRANSITIONS[status] for status in FINAL)


def test_every_open_status_leads_to_an_end():
    for status in OPEN:
        reached: set[RunStatus] = {status}
        found: set[RunStatus] = set()
        while reached != found:
            found = set(reached)
            reached |= {to for one in found for to in TRANSITIONS[one]}
        assert reached & FINAL


def test_sources_are_the_table_read_backwards():
    for to, status in product(RunStatus, RunStatus):
        assert (status in states.sources(to)) == (to in TRANSITIONS[status])


def test_the_drawing_in_the_readme_is_current():
    readme = Path(lifecycle.__file__).parents[1] / "README.md"
    assert drawn() in readme.read_text()
