"""Payloads kept under a name, to test a task with them again."""

from django.db import transaction

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks
from runs.models import PayloadTemplate

LONGEST_NAME = 100
#: Of one task: a list to choose from, not an archive.
MOST = 100


def keep(
    task_id: str, name: str, payload: str | None, metadata: str | None, *, actor: str
) -> PayloadTemplate:
    """Keep JSON texts that `payloads.clean` accepted; a template of that name is replaced.

    Raises InvalidOption.
    """
    name = name.strip()
    if not name:
        raise InvalidOption("name", "A template needs a name.")
    checks.text("name", name, LONGEST_NAME)
    with transaction.atomic():
        known = PayloadTemplate.objects.filter(task_id=task_id)
        if not known.filter(name=name).exists() and known.count() >= MOST:
            raise InvalidOption("name", f"A task has at most {MOST} templates. Delete one.")
        made, is_new = PayloadTemplate.objects.update_or_create(
            task_id=task_id,
            name=name,
            defaults={"payload": payload or "", "metadata": metadata or "", "actor": actor},
        )
        verb = "template.create" if is_new else "template.update"
        audit.record(actor, verb, task_id, name=name)
    return made


def delete(number: int, *, actor: str) -> PayloadTemplate:
    """Raises NotFound."""
    with transaction.atomic():
        found = PayloadTemplate.objects.select_for_update().filter(pk=number).first()
        if found is None:
            raise NotFound("There is no such template; somebody may have deleted it.")
        found.delete()
        audit.record(actor, "template.delete", found.task_id, name=found.name)
    return found
