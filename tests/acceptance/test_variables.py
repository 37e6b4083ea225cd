"""Environment variables reach the bodies of a real cluster, and so do their changes."""

import json

import pytest

from runs.lifecycle import envvars
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance


def put(value):
    envvars.put({"SHOP_KEY": value, "TEST_LEDGER": "elsewhere"}, actor="user:test")


NEEDS_IT = """\
import os

from engine import task

KEY = os.environ["SHOP_KEY"]


@task(id="needs-it")
def body(payload):
    pass
"""


def needs_it(site):
    """A directory with a task whose file does not import without the variable."""
    directory = site.home / "needs"
    directory.mkdir()
    (directory / "shop.py").write_text(NEEDS_IT)
    return directory


def test_they_are_there_at_import_and_a_change_reaches_the_next_run(site):
    put("one")
    made = site.cluster(workers=1, TRACKSIDE_ASYNC_SLOTS="4")
    eventually(lambda: made.named("host"))
    ledger = str(site.ledger)  # the machine's own: it wins

    listed = site.instance.manage("tasks", TRACKSIDE_TASK_DIRS=str(needs_it(site)))
    assert ("needs-it" in listed.stdout, listed.stderr) == (True, "")

    def seen(task="look"):
        return json.loads(site.completed(site.trigger(task)).output)

    assert seen() == ["one", "one", ledger]
    assert seen("look-shared") == ["one", "one", ledger]
    put("two")
    assert seen()[0] == "two"
    assert seen("look-shared")[0] == "two"
    eventually(lambda: seen() == ["two", "two", ledger])
    eventually(lambda: seen("look-shared") == ["two", "two", ledger])
    envvars.delete("SHOP_KEY", actor="user:test")
    assert seen()[0] is None
