"""What a request looks like: a body made from its schema, a command for shells, a line of Python."""

import json
from typing import Any

from runs import conf

PREFIX = "#/components/schemas/"
#: Levels of a body that are shown.
DEEPEST = 4
#: Members of a body that say what it is for; where it has none of these, those it needs.
TELLING = {
    "payload", "options", "tags", "delay", "metadata", "reason", "task", "cron", "deduplicationKey",
    "index", "runCount", "taskIdentifiers", "taskIdentifier", "timeout", "data", "action", "type",
    "name", "value", "variables", "scopes", "runIds", "concurrencyLimit", "idempotencyKey",
}  # fmt: skip
VALUES: dict[str, Any] = {
    "payload": {"to": "ann@example.com"},
    "data": {"approved": True},
    "metadata": {"step": "upload"},
    "tags": ["user_42"],
    "delay": "10m",
    "timeout": "1h",
    "reason": "wrong file",
    "task": "send-email",
    "taskIdentifier": "send-email",
    "taskIdentifiers": ["send-email"],
    "cron": "0 5 * * *",
    "deduplicationKey": "daily-report",
    "idempotencyKey": "order-7",
    "runCount": 2,
    "runIds": ["run_01k…"],
    "scopes": ["read:runs:run_01k…"],
    "variables": {"REGION": "eu"},
    "name": "REGION",
    "value": "eu",
    "concurrencyLimit": 5,
}
NAMES = {
    "task_id": "send-email",
    "run_id": "run_01k…",
    "batch_id": "batch_01k…",
    "token_id": "waitpoint_01k…",
    "schedule_id": "sched_01k…",
    "action_id": "bulk_01k…",
    "key": "order-7",
}
#: Each is tested to be what the client has.
PYTHON = {
    "trigger": 'client.tasks.trigger("send-email", {"to": "ann@example.com"}, delay="10m")',
    "runs": 'for run in client.runs.list(status=["FAILED"], period="1d"):\n    print(run.id)',
    "run": 'run = client.runs.retrieve("run_01k…")',
    "cancel": 'client.runs.cancel("run_01k…", reason="wrong file")',
    "replay": 'client.runs.replay("run_01k…", max_attempts=1)',
    "reschedule": 'client.runs.reschedule("run_01k…", "10m")',
    "tags": 'client.runs.add_tags("run_01k…", ["user_42"])',
    "metadata_get": 'client.runs.metadata("run_01k…")',
    "metadata_put": 'client.runs.update_metadata("run_01k…", {"step": "upload"})',
    "trace": 'client.runs.trace("run_01k…")',
    "events": 'client.runs.events("run_01k…")',
    "result": 'client.runs.result("run_01k…")',
    "batch_create": 'client.batches.trigger([BatchItem("send-email", {"to": "ann@example.com"})])',
    "batch_items": 'client.batches.trigger([BatchItem("send-email", {"to": "ann@example.com"})])',
    "batch": 'client.batches.retrieve("batch_01k…")',
    "batch_results": 'client.batches.results("batch_01k…")',
    "reset_key": 'client.idempotency_keys.reset("send-email", "order-7")',
    "queues": "for queue in client.queues.list():\n    print(queue.name, queue.queued)",
    "queue": 'client.queues.retrieve("emails")',
    "queue_pause": 'client.queues.pause("emails", reason="the provider is down")',
    "queue_override": 'client.queues.override("emails", 5)',
    "queue_reset": 'client.queues.reset("emails")',
    "tokens_get": 'client.tokens.list(status="WAITING")',
    "tokens_post": 'client.tokens.create(timeout="1h")',
    "token": 'client.tokens.retrieve("waitpoint_01k…")',
    "realtime_run": 'for run in client.runs.subscribe("run_01k…"):\n    print(run.status)',
    "realtime_tagged": 'client.runs.subscribe_to_tag("user_42")',
    "realtime_batch": 'client.batches.subscribe("batch_01k…")',
    "complete": 'client.tokens.complete("waitpoint_01k…", {"approved": True})',
}


def example(schema: dict[str, Any], components: dict[str, Any], depth: int = 0) -> Any:
    """A value of the schema that says what it is for."""
    if "$ref" in schema:
        return example(components[schema["$ref"].removeprefix(PREFIX)], components, depth)
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return example(schema[name][0], components, depth)
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema and depth < DEEPEST:
        return _object(schema, components, depth)
    return _value(schema, components, depth)


def _object(schema: dict[str, Any], components: dict[str, Any], depth: int) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {
        name: VALUES[name] if name in VALUES else example(one, components, depth + 1)
        for name, one in schema["properties"].items()
        if name in required or name in TELLING
    }


def _value(schema: dict[str, Any], components: dict[str, Any], depth: int) -> Any:
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    if schema.get("type") == "array":
        return [example(schema.get("items", {}), components, depth + 1)] if depth < DEEPEST else []
    plain: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "string": "text"}
    return plain.get(str(schema.get("type")), {})


def curl(  # what a request has
    method: str, prefix: str, path: str, kind: str, body: Any, *, keyed: bool
) -> str:
    """The request as a command."""
    for name, value in NAMES.items():
        path = path.replace("{" + name + "}", value)
    words = ["curl"] if (method in {"GET", "POST"} and body is not None) or method == "GET" else []
    words = words or ["curl", "-X", method]
    lines = [" ".join([*words, str(conf.get("URL")).rstrip("/") + prefix.rstrip("/") + path])]
    if keyed:
        lines.append('-H "authorization: Bearer $TRACKSIDE_KEY"')
    if body is not None and kind != "*/*":
        lines.append(f'-H "content-type: {kind}"')
        lines.append(f"-d '{json.dumps(body, ensure_ascii=False)}'")
    return " \\\n  ".join(lines)
