"""What every run costs finds its rows by an index, however many others wait, and is planned once."""

import pytest
from django.db import connection

from runs.lifecycle.store import heads, turning
from runs.models import Lane

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("config.option.database != 'sqlite'", reason="SQLite's own"),
]
BOTH = (Lane.ALONE, Lane.SHARED)
STATEMENTS = {
    "open": (heads.open_bucket(BOTH), "ready_head"),
    "open to one": (heads.open_bucket((Lane.SHARED,)), "ready_"),
    "back": (heads.back_bucket(BOTH), "ready_resumed"),
    "head": (heads.head(BOTH), "ready_head"),
    "head after a wait": (heads.head_resumed(BOTH), "ready_resumed"),
    "shared": (turning.HAS_SHARED, "ready_shared"),
    "pinned": (turning.HAS_PINNED, "ready_pinned"),
    "several": (turning.picking(Lane.ALONE).pick, "ready_head"),
    "several shared": (turning.picking(Lane.SHARED).pick, "ready_"),
    "across": (turning.picking(Lane.ALONE).across, "ready_head"),
    "other": (turning.picking(Lane.ALONE).other, "ready_head"),
    "any other": (turning.picking(Lane.ALONE).any_other, "ready_head"),
    "taken": (turning.TAKE_UNSTARTED, "autoindex_runs_run"),
    "leases": (turning.LEASES, "autoindex_runs_lease"),
    "end": (turning.END, "autoindex_runs_run"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_rows_are_found_by_an_index(name):
    statement, index = STATEMENTS[name]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", ["1"] * statement.count("%s"))
        plan = [row[3] for row in cursor.fetchall()]
    assert any(index in step for step in plan), plan
    whole = [step for step in plan if step in ("SCAN r", "SCAN runs_ready", "SCAN runs_run")]
    assert not whole
    assert not [step for step in plan if "SCAN" in step and "ready_head" in step]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_parameter_decides_which_index_will_do(name):
    """`ready_shared` is for one lane: a lane that is a parameter has SQLite plan at each call."""
    statement = STATEMENTS[name][0]
    assert "lane = %s" not in statement
    assert "lane IN (%s" not in statement
