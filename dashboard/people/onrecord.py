"""What is done to accounts in Django's admin stands in the audit log too."""

from typing import Any

from django.contrib.admin.models import ADDITION, DELETION, LogEntry

from runs.lifecycle import audit

ACTIONS = {ADDITION: "account.add", DELETION: "account.delete"}


def note(instance: LogEntry, created: bool, **_: Any) -> None:
    """Queues and the like tell by their own verbs."""
    kind = instance.content_type
    if not created or kind is None or kind.app_label != "auth":
        return
    action = ACTIONS.get(instance.action_flag, "account.change")
    told = instance.get_change_message()
    target = f"{kind.model} {instance.object_repr}"
    audit.record(f"user:{instance.user.get_username()}", action, target, reason=told)
