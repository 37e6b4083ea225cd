from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import Run
from runs.reads.standing import standing, standing_among
from tests.support.rows import completed_run, queued_run

pytestmark = pytest.mark.django_db


def test_says_how_runs_stand_and_whether_there_are_newer_ones():
    older, newer = completed_run(), queued_run()
    ids = [older.pk, newer.pk]
    rows, has_newer = standing(ids, newer.pk, None, None)
    assert sorted(rows) == sorted((one.pk, one.updated_at, one.status) for one in (older, newer))
    assert not has_newer
    assert standing(ids, older.pk, None, None)[1]
    assert standing_among(ids, Run.objects.filter(id__gt=newer.pk)) == (rows, has_newer)


def test_newer_ones_are_of_the_window():
    older = completed_run()
    queued_run()
    now = timezone.now()
    assert not standing([older.pk], older.pk, now + timedelta(hours=1), None)[1]
    assert not standing([older.pk], older.pk, None, now - timedelta(hours=1))[1]
    assert standing([older.pk], older.pk, now - timedelta(hours=1), now + timedelta(hours=1))[1]


def test_without_rows_there_may_be_any():
    assert standing([], "run_0", None, None) == ([], True)
