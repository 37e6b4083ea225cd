"""How to make a run like this one from a shell, from a service, from code."""

import json
import shlex

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from dashboard import presenters
from dashboard.pages import documents, shell
from dashboard.pages.page import page
from dashboard.pages.run_finding import find
from runs import conf
from runs.models import Run

#: A longer payload is left out and named.
LONGEST = 20_000
ELSEWHERE = '"…the payload, see its download…"'


@page()
def snippet(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    stored = Run.objects.values_list("payload", flat=True).get(pk=run.pk)
    payload = None if stored is None else documents.text(stored, "payload")
    is_long = payload is not None and len(payload) > LONGEST
    text = ELSEWHERE if is_long else payload
    context = {
        "run": run,
        "look": presenters.look(run),
        "is_long": is_long,
        "is_redacted": payload != stored,
        "snippets": [
            ("curl", "From a shell", curl(run, text)),
            ("client", "From a service, with the client", client(run, text)),
            ("code", "From code beside the task", code(run, text)),
        ],
    }
    return shell.render(request, "dashboard/run/snippet.html", context)


def curl(run: Run, payload: str | None) -> str:
    """One command; the key comes from the environment."""
    options = json.dumps(_options(run), ensure_ascii=False)
    members = [f'"payload": {payload}'] if payload is not None else []
    members += [f'"options": {options}'] if _options(run) else []
    body = "{" + ", ".join(members) + "}"
    return " \\\n  ".join(
        (
            f"curl {shlex.quote(_address(run))}",
            '-H "authorization: Bearer $TRACKSIDE_API_KEY"',
            '-H "content-type: application/json"',
            f"-d {shlex.quote(body)}",
        )
    )


def client(run: Run, payload: str | None) -> str:
    """A JSON text that Python reads as it stands, big numbers included."""
    url = str(conf.get("URL")).rstrip("/")
    return (
        "import json\n"
        "from trackside import Client\n\n"
        f"client = Client({url!r})  # the key is TRACKSIDE_API_KEY\n"
        f"run = client.tasks.trigger({run.task_id!r}{_argument(payload)}{_keywords(run)})\n"
        "print(run.id)\n"
    )


def code(run: Run, payload: str | None) -> str:
    return (
        "import json\n"
        "from engine import tasks\n\n"
        f"tasks.trigger({run.task_id!r}{_argument(payload)}{_keywords(run)})\n"
    )


def _argument(payload: str | None) -> str:
    return "" if payload is None else f", json.loads({payload!r})"


def _options(run: Run) -> dict[str, object]:
    """Those that differ from what a trigger without any would have, as far as the run tells."""
    found: dict[str, object] = {}
    if run.tag_list:
        found["tags"] = run.tag_list
    if run.concurrency_key is not None:
        found["concurrencyKey"] = run.concurrency_key
    if not run.queue.startswith("task/"):
        found["queue"] = run.queue
    if run.priority:
        found["priority"] = run.priority
    return found


def _keywords(run: Run) -> str:
    names = {"concurrencyKey": "concurrency_key"}
    return "".join(f", {names.get(name, name)}={value!r}" for name, value in _options(run).items())


def _address(run: Run) -> str:
    try:
        path = reverse("api:trigger", args=[run.task_id])
    except NoReverseMatch:
        path = f"/api/v1/tasks/{run.task_id}/trigger"
    return str(conf.get("URL")).rstrip("/") + path
