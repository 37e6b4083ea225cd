"""`manage.py tasks pause` and `resume`."""

import pytest
from django.core.management import CommandError, call_command

from runs.models import AuditLog, Task
from tests.support import factories

pytestmark = pytest.mark.django_db


def test_a_task_is_paused_and_goes_on(capsys):
    factories.task("send")
    call_command("tasks", "pause", "send", "--reason", "broken")
    assert capsys.readouterr().out == "send paused\n"
    assert Task.objects.get(pk="send").paused_reason == "broken"
    call_command("tasks", "resume", "send")
    assert Task.objects.get(pk="send").paused_at is None
    actors = AuditLog.objects.filter(target="send").values_list("actor", flat=True)
    assert {actor.partition(":")[0] for actor in actors} == {"cli"}


def test_one_that_is_not_there_is_told():
    with pytest.raises(CommandError, match="There is no task"):
        call_command("tasks", "pause", "none")
