"""Texts that would be a program in a page that did not take care, wherever people or bodies may put some."""

import json
from html.parser import HTMLParser
from typing import Any

from django.apps import apps
from django.db import models

from runs import lifecycle
from runs.lifecycle import TriggerOptions, audit
from runs.models import Event, Run, Source, Stream, StreamChunk
from tests.support.rows import make_queue, make_task

#: Breaks out of a text, of an attribute, of a script and of a textarea.
XSS = (
    """"'><svg onload=xss()></textarea></script><script>xss()</script><a href="javascript:xss()">"""
)
SHORT = '"><svg onload=xss()>'
LINK = "javascript:xss()"

#: Texts by their model. What is missing here is made by us alone, or by the verbs below.
TEXTS = {
    "Run": "reason actor concurrency_key idempotency_key version",
    "LogLine": "message logger",
    "Span": "name error",
    "Task": "description file_path error version",
    "Queue": "override_reason overridden_by paused_reason paused_by",
    "ErrorGroup": "name message place changed_by reason assignee first_version last_version",
    "ErrorEvent": "actor text",
    "Schedule": "external_id created_by",
    "ScheduleTick": "reason",
    "ApiKey": "name created_by",
    "AlertChannel": "name shown created_by",
    "AlertRule": "name",
    "AlertHit": "text",
    "AlertDelivery": "answer",
    "Batch": "actor idempotency_key",
    "BulkAction": "name problem reason actor",
    "EnvVar": "updated_by",
    "Journal": "name",
    "PayloadTemplate": "name actor",
    "Pin": "actor reason",
    "SavedView": "name",
    "Waitpoint": "idempotency_key completed_by",
    "WorkerSession": "cluster host version ordered_by",
    "RetentionRule": "changed_by",
}
#: Rows of which documents are changed, the newest.
MOST = 300
#: Models where two rows may not have the same.
UNIQUE = {
    "ApiKey",
    "AlertChannel",
    "AlertRule",
    "Batch",
    "Journal",
    "PayloadTemplate",
    "SavedView",
    "Schedule",
    "Waitpoint",
    "Run",
}
#: Documents: every text within is replaced.
DOCUMENTS = {
    "Run": "payload output metadata error tags",
    "Attempt": "error",
    "Span": "attributes",
    "Journal": "result args error",
    "Waitpoint": "output tags",
    "Batch": "problems",
    "PayloadTemplate": "payload metadata",
    "Task": "tags",
}


def poison() -> None:
    """Everything that is stored, and a run, task and queue that are named so."""
    for model in apps.get_app_config("runs").get_models():
        _texts(model, TEXTS.get(model.__name__, "").split())
        _documents(model, DOCUMENTS.get(model.__name__, "").split())
    _named()


def _texts(model: type[models.Model], names: list[str]) -> None:
    rows = model._default_manager
    if names and model.__name__ not in UNIQUE:
        rows.update(**{name: _fitting(model, name, 0) for name in names})
        return
    for number, row in enumerate(rows.all() if names else ()):
        rows.filter(pk=row.pk).update(**{name: _fitting(model, name, number) for name in names})


def _fitting(model: type[models.Model], name: str, number: int) -> str:
    """As much as the column holds; each another where it must be."""
    length = getattr(model._meta.get_field(name), "max_length", None) or 1000
    text = XSS if length > len(XSS) + 5 else SHORT
    return f"{number}{text}"[:length]


def _documents(model: type[models.Model], names: list[str]) -> None:
    rows = model._default_manager
    for row in rows.order_by("-pk")[:MOST] if names else ():
        found = {name: getattr(row, name) for name in names}
        given = {name: json.dumps(_deep(json.loads(text))) for name, text in found.items() if text}
        if given:
            rows.filter(pk=row.pk).update(**given)


def _deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _deep(one) for name, one in value.items()} | {SHORT: XSS, "url": LINK}
    if isinstance(value, list):
        return [_deep(one) for one in value]
    return XSS if isinstance(value, str) else value


def _named() -> Run:
    make_task(XSS[:200], description=XSS)
    make_queue(XSS[:100])
    options = TriggerOptions(queue=XSS[:100], tags=(XSS[:120], SHORT), concurrency_key=XSS)
    made = lifecycle.trigger(
        XSS[:200], json.dumps({SHORT: XSS}), options, source=Source.API, actor=f"key:{SHORT}"
    )
    run = Run.objects.get(pk=made.run_id)
    audit.record(f"user:{SHORT}", "run.cancel", run.pk, reason=XSS, why=XSS)
    audit.record("x", XSS[:60], XSS[:300])
    Event.objects.create(
        run_id=run.pk,
        kind="canceled",
        at=run.created_at,
        actor=SHORT,
        reason=XSS,
        data=json.dumps({"x": XSS}),
    )
    Stream.objects.create(run_id=run.pk, key=XSS[:100], count=1, created_at=run.created_at)
    StreamChunk.objects.create(
        run_id=run.pk, key=XSS[:100], number=0, text=json.dumps(XSS), at=run.created_at
    )
    return run


class Reader(HTMLParser):
    """What of a page a browser would run, or load from elsewhere."""

    PLACES = (
        "href",
        "src",
        "action",
        "formaction",
        "xlink:href",
        "data",
        "poster",
        "srcset",
        "background",
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        bad = [name for name in given if name.startswith(("on", "hx-on")) or name == "style"]
        bad += [name for name in self.PLACES if self._runs(given.get(name, ""))]
        is_code = tag == "script" and "src" not in given and given.get("type") != "application/json"
        if is_code or tag in ("iframe", "object", "embed", "base", "style"):
            bad.append("tag")
        if "http-equiv" in given:
            bad.append("http-equiv")
        self.found += [f"<{tag}> {name}={given.get(name, '')[:60]}" for name in bad]

    @staticmethod
    def _runs(address: str) -> bool:
        start = "".join(letter for letter in address if letter > " ").lower()
        return start.startswith(("javascript:", "data:", "vbscript:", "//", "x"))


def programs(page: str) -> list[str]:
    """Whatever would run in the page."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader.found
