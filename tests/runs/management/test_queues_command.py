import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs.models import AuditLog, Queue
from tests.support.factories import queue, trigger

pytestmark = pytest.mark.django_db


def call(*arguments):
    out = StringIO()
    call_command("queues", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture(autouse=True)
def mail():
    return queue("mail", limit=2, rate="60/1m")


def test_lists_what_stands_in_them():
    trigger(queue="mail")
    assert call("list").splitlines()[0].split() == (
        ["mail", "open", "0", "running,", "1", "queued", "limit", "2", "60/1m"]
    )
    facts = json.loads(call("list", "--json").splitlines()[0])
    assert (facts["name"], facts["queued"], facts["rate"]) == ("mail", 1, "60/1m")


def test_pauses_and_resumes_some_or_all():
    queue("slow")
    assert call("pause", "mail", "--reason", "down") == "mail paused\n"
    assert Queue.objects.get(name="mail").paused_reason == "down"
    assert call("pause", "--all") == "1 queues paused\n"
    assert call("resume", "--all") == "1 queues resumed\n"
    assert call("resume", "mail") == "mail resumed\n"
    assert not Queue.objects.filter(paused=True).exists()
    assert all(one.actor.startswith("cli:") for one in AuditLog.objects.all())


def test_overrides_and_resets(mail):
    out = call("override", "mail", "--limit", "1", "--for", "2h", "--reason", "easy")
    assert "limit 1 60/1m (overridden)" in out
    mail.refresh_from_db()
    assert (mail.override_expires_at - mail.overridden_at).total_seconds() > 7190
    assert call("reset", "mail") == "mail reset\n"
    mail.refresh_from_db()
    assert not mail.is_overridden


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pause"], "Name the queues, or say --all"),
        (["resume", "mail", "--all"], "Name the queues, or say --all"),
        (["pause", "nope"], "no queue named “nope”"),
        (["override", "mail"], "which limit"),
        (["override", "mail", "--limit", "-1"], "0 to 100,000"),
        (["override", "mail", "--limit", "1", "--for=-2h"], "--for must be"),
        (["override", "mail", "--rate", "often"], "rate"),
        (["reset", "mail"], "not overridden"),
    ],
)
def test_refuses_in_one_sentence(arguments, problem):
    with pytest.raises(CommandError, match=problem):
        call(*arguments)
