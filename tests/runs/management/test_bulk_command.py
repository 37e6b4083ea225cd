from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import lifecycle
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


@pytest.mark.parametrize(
    "words",
    [
        ("start", "cancel"),
        ("start", "cancel", "run_1", "--task", "a"),
        ("start", "cancel", "no run"),
        ("show", "bulk_0"),
        ("abort", "a\x00"),
        ("start", "cancel", "--since", "soon"),
    ],
)
def test_what_cannot_be_is_one_sentence(words):
    with pytest.raises(CommandError):
        call(*words)
    assert not BulkAction.objects.exists()
