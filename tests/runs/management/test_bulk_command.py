from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import lifecycle
from runs.lifecycle.bulkoptions import BulkOptions
from runs.models import BulkAction
from tests.support.rows import queued_run

pytestmark = pytest.mark.django_db


def call(*arguments):
    out = StringIO()
    call_command("bulk", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_begins_one_by_a_filter_or_by_ids():
    run = queued_run()
    made = call("start", "cancel", "--status", "queued", "--since", "1d", "--name", "tidy")
    assert call("show", made).splitlines()[0] == (
        f"{made}  CANCEL   PENDING    0 done, 0 failed, 1 in all  tidy"
    )
    lifecycle.go_on_in_bulk()
    run.refresh_from_db()
    assert run.status == "CANCELED"
    again = call("start", "replay", run.pk)
    assert [row.split()[0] for row in call("list").splitlines()] == [again, made]
    assert "ABORTED" in call("abort", again)


def test_goes_slowly_tries_some_first_and_is_paused():
    run = queued_run()
    made = call("start", "replay", run.pk, "--spread", "2h", "--canary", "1", "--newest-first")
    assert BulkOptions.of(BulkAction.objects.get().options) == BulkOptions(
        spread=7200, per_minute=1 / 120, canary=1, newest_first=True
    )
    assert "PAUSED" in call("pause", made)
    assert "PENDING" in call("resume", made)
    slow = call("start", "cancel", run.pk, "run_gone", "--per-minute", "6000")
    call("abort", made)
    while lifecycle.go_on_in_bulk():
        continue
    assert "1 done, 1 failed" in call("show", slow)
    assert "1  There is no run run_gone.  run_gone" in call("show", slow)


@pytest.mark.parametrize(
    "words",
    [
        ("start", "cancel"),
        ("start", "cancel", "run_1", "--task", "a"),
        ("start", "cancel", "no run"),
        ("show", "bulk_0"),
        ("abort", "a\x00"),
        ("start", "cancel", "--since", "soon"),
        ("start", "cancel", "run_1", "--spread", "soon"),
        ("start", "cancel", "run_1", "--spread", "2h", "--per-minute", "1"),
        ("start", "cancel", "run_1", "--canary", "1"),
        ("start", "cancel", "run_1", "--per-minute", "nan"),
        ("pause", "bulk_0"),
    ],
)
def test_what_cannot_be_is_one_sentence(words):
    with pytest.raises(CommandError):
        call(*words)
    assert not BulkAction.objects.exists()
