"""What each version of the task code had."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from runs.models import CodeVersion

#: A version that is registered again is written down as seen at most this often.
SEEN = timedelta(minutes=10)


def note(version: str, schemas: Mapping[str, str]) -> None:
    """A cluster of this version has these tasks, with these payload schemas."""
    if not version:
        return
    now, tasks = timezone.now(), _digests(schemas)
    known = CodeVersion.objects.filter(pk=version).first()
    if known is None:
        first = {"first_at": now, "last_at": now, "tasks": tasks}
        CodeVersion.objects.get_or_create(pk=version, defaults=first)
    elif known.tasks != tasks or now - known.last_at > SEEN:
        CodeVersion.objects.filter(pk=version).update(tasks=tasks, last_at=now)


def _digests(schemas: Mapping[str, str]) -> str:
    found = {
        task_id: hashlib.sha256(schema.encode()).hexdigest()[:12] if schema else ""
        for task_id, schema in schemas.items()
    }
    return json.dumps(found, sort_keys=True)
