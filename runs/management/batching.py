"""Lines of JSON as items of a batch."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from runs import durations, payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle.options import TriggerItem, TriggerOptions
from runs.management import asking

MEMBERS = {"task", "payload", "options"}
#: Options as they come, in the names of `runs trigger`; those of the API mean the same.
PLAIN = {"queue", "priority", "max_attempts", "machine", "idempotency_key", "concurrency_key"}
SPANS = {"ttl", "max_duration", "idempotency_key_ttl"}
NAMES = {"idempotency_key_ttl": "idempotency_ttl", "lock_to_version": "version", "test": "is_test"}
KNOWN = {*PLAIN, *SPANS, "delay", "tags", "metadata", "lock_to_version", "test"}


#: What is written otherwise than a trigger has it.
READ: dict[str, Callable[[Any], Any]] = {
    "queue": lambda value: value.get("name") if isinstance(value, dict) else value,
    "delay": lambda value: asking.when(str(value)),
    "tags": lambda value: (value,) if isinstance(value, str) else tuple(map(str, value)),
    "metadata": payloads.dumps,
}


def items(lines: Iterable[bytes], task_id: str | None) -> list[TriggerItem]:
    """Raises InvalidOption and InvalidPayload, which name the line."""
    found = [_item(number, line, task_id) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InvalidOption("file", "There is no line in it.")
    return found


def _item(number: int, line: bytes, task_id: str | None) -> TriggerItem:
    try:
        value = json.loads(payloads.clean(line))
        members = value if isinstance(value, dict) else {}
        given = members.get("options") or {}
        task = members.get("task") or task_id
        if not isinstance(task, str) or members.keys() - MEMBERS or not isinstance(given, dict):
            raise InvalidOption(
                "file", 'not {"task"?, "payload"?, "options"?} with a task; or say --task.'
            )
        payload = payloads.dumps(members["payload"]) if "payload" in members else None
        return TriggerItem(task_id=task, payload=payload, options=_options(given))
    except (InvalidOption, InvalidPayload) as error:
        raise InvalidOption("file", f"Line {number}: {error}") from error


def _options(given: dict[str, Any]) -> TriggerOptions:
    named = {_snake(name): value for name, value in given.items() if value is not None}
    for name in named.keys() - KNOWN:
        raise InvalidOption(name[:60], f"“{name[:60]}” is no option; there are {_listed()}.")
    return TriggerOptions(**{NAMES.get(name, name): _read(name, named[name]) for name in named})


def _read(name: str, value: Any) -> Any:
    if name in SPANS:
        return durations.seconds(value, name)
    return READ[name](value) if name in READ else value


def _listed() -> str:
    return ", ".join(sorted(KNOWN))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(TTL|[A-Z])", r"_\1", name).lower()
