import pytest

from runs.reads.activity import last_runs
from tests.support.rows import make_task, queued_run

pytestmark = pytest.mark.django_db


def test_knows_the_newest_run_of_each_task():
    queued_run("mail")
    newest = queued_run("mail")
    quiet = make_task("quiet")
    assert last_runs([make_task("mail"), quiet]) == {"mail": newest}
