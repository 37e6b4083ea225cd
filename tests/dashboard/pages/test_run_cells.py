"""Rows of the runs list are put together by code: nothing that somebody wrote may become markup."""

import re
from datetime import timedelta

import pytest

from runs.models import Run
from tests.support.rows import completed_run, queued_run

pytestmark = pytest.mark.django_db
ODD = "<b>\"'&"


def test_what_people_and_code_wrote_is_text(viewer):
    run = completed_run()
    words = {"version": ODD, "queue": ODD, "reason": ODD, "task_id": ODD, "machine": ODD}
    Run.objects.filter(pk=run.pk).update(**words, tags='["<b>\\"\'&"]')
    page = viewer.get("/runs?col=machine").content.decode()
    [row] = re.findall(f'<tr id="{run.pk}".*?</tr>', page)
    assert "<b>" not in row
    assert row.count("&lt;b&gt;&quot;&#x27;&amp;") == 9


def test_a_moment_is_no_tag(viewer):
    run = completed_run()
    Run.objects.filter(pk=run.pk).update(
        started_at=run.queued_at, finished_at=run.queued_at + timedelta(microseconds=1)
    )
    assert "&lt;1 ms</td>" in viewer.get("/runs").content.decode()


def test_only_who_may_act_cancels_from_the_list(viewer, operator):
    run = queued_run()
    assert f'formaction="/runs/{run.pk}/cancel"' in operator.get("/runs").content.decode()
    page = viewer.get("/runs").content.decode()
    assert "formaction" not in page
    assert f'<a class="act" href="/runs/{run.pk}/cancel"' in page
