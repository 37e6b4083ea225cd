from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from runs import histograms
from runs.models import Facet, Rollup, Step
from runs.reads.usual import usual

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()


def counted(name, milliseconds, count, at):
    durations = histograms.dump({histograms.slot(milliseconds): count})
    Rollup.objects.create(step=Step.DAY, facet=Facet.TASK, name=name, at=at, durations=durations)


def test_what_a_task_usually_takes():
    now = timezone.now()
    counted("slow", 40_000, 90, now - timedelta(days=2))
    counted("slow", 400, 10, now - timedelta(days=1))
    counted("rare", 400, 4, now - timedelta(days=1))
    counted("past", 400, 40, now - timedelta(days=9))
    found = usual(["slow", "rare", "past", "never"], now)
    assert list(found) == ["slow"]
    assert 30 < found["slow"] <= 60
    Rollup.objects.all().delete()
    assert usual(["slow"], now) == found


def test_no_task_is_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert usual([], timezone.now()) == {}
