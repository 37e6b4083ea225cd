import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs.models import AuditLog, ErrorEvent, ErrorGroup
from tests.support.failing import error, failed_run, group_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def group():
    return group_of(failed_run(error("order 7 has no \x1b[31mcard")))


def said(*words):
    out = StringIO()
    call_command("errors", *words, stdout=out, stderr=out)
    return out.getvalue()


def test_list(group):
    text = said("list")
    assert f"error_{group.pk}  unresolved" in text
    assert "order 7 has no �[31mcard" in text
    told = json.loads(said("list", "--json", "--status", "any"))
    assert (told["id"], told["total"]) == (f"error_{group.pk}", 1)
    assert "No such error failed since" in said("list", "--task", "other")


def test_show(group):
    text = said("show", group.pk)
    assert "tasks/billing.py:12 in charge" in text
    assert "seen" in text


def test_decide(group):
    name = f"error_{group.pk}"
    assert "resolved" in said("resolve", name, "--in-version", "9")
    assert "unresolved" in said("reopen", name)
    assert "more than 5 failures within an hour" in said(
        "ignore", name, "--for", "1d", "--rate", "5"
    )
    assert "@ada" in said("assign", name, "ada")
    assert said("note", name, "asked") == "Noted.\n"
    assert ErrorGroup.objects.get().status == "ignored"
    assert ErrorEvent.objects.filter(kind="noted").exists()
    assert AuditLog.objects.filter(actor__startswith="cli:").count() == 5


def test_nonsense_is_one_sentence(group):
    with pytest.raises(CommandError, match="There is no error feed"):
        said("show", "feed")
    with pytest.raises(CommandError, match="1 to"):
        said("ignore", group.pk, "--rate", "0")
    with pytest.raises(CommandError):
        said("list", "--since", "soon")
