import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import lifecycle
from runs.models import AuditLog, Schedule
from tests.support.factories import task
from tests.support.schedules import schedule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def call(*arguments):
    out, said = StringIO(), StringIO()
    call_command("schedules", *arguments, stdout=out, stderr=said)
    return out.getvalue(), said.getvalue()


def test_lists_and_shows(clock):
    made = schedule("0 10 * * *", external_id="user\x1b[31m")
    other = schedule("@daily", task_id="clean")
    out, _ = call("list")
    assert out.index(made.pk) < out.index(other.pk)
    assert call("list", "--search", "cle")[0].startswith(other.pk)
    clock("10:00:00")
    lifecycle.fire_due()
    shown, _ = call("show", made.pk)
    assert "At 10:00 every day" in shown
    assert "2030-01-01 10:00  fired  run_" in shown
    assert "\x1b" not in shown
    facts = json.loads(call("show", made.pk, "--json")[0])
    assert (facts["id"], facts["cron"], facts["active"]) == (made.pk, "0 10 * * *", True)


def test_tries_an_expression():
    out, said = call("next", "30 2 * * *", "--timezone", "Europe/Berlin", "--count", "2")
    assert out.splitlines() == [
        "2030-01-02 02:30 CET  2030-01-02 01:30 UTC",
        "2030-01-03 02:30 CET  2030-01-03 01:30 UTC",
    ]
    assert "At 02:30 every day" in said
    assert "The clocks skip 31 March 2030" in said


def test_makes_switches_and_deletes():
    task("report")
    out, _ = call("create", "report", "0 5 * * *", "--key", "k", "--overlap", "skip")
    made = Schedule.objects.get()
    assert (out.strip(), made.overlap, made.deduplication_key) == (made.pk, "skip", "k")
    assert call("create", "report", "0 6 * * *", "--key", "k")[0] == out
    assert "  off  " in call("deactivate", made.pk, "--reason", "holidays")[0]
    assert "  on   " in call("activate", made.pk)[0]
    assert "deleted" in call("delete", made.pk)[0]
    assert not Schedule.objects.exists()
    assert all(
        actor.startswith("cli:") for actor in AuditLog.objects.values_list("actor", flat=True)
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "sched_nope"], "no schedule"),
        (["delete", "a\x00b"], "no schedule"),
        (["next", "0 0 31 2 *"], "must have it"),
        (["next", "@daily", "--timezone", "Nowhere"], "there is no"),
        (["create", "nobody", "@daily"], "No cluster has registered"),
    ],
)
def test_refuses_in_one_sentence(arguments, problem):
    with pytest.raises(CommandError, match=problem):
        call(*arguments)
