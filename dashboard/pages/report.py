"""What happened to a run as one Markdown text, for a ticket."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from dashboard import permissions, presenters
from dashboard.pages import documents, raw, run_attempts, run_logs, run_tabs, why
from dashboard.pages.page import page
from dashboard.pages.run_attempts import AttemptCard
from dashboard.pages.run_finding import find
from runs import conf
from runs.models import Run
from runs.reads import attempts, trace, trace_times
from runs.reads.intervals import length

#: Characters of a document and of a stack, lines of the log, attempts.
DOCUMENT, STACK, LINES, ATTEMPTS = 20_000, 8_000, 100, 20


@page(permissions.READ)
def download(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id, **attempts.columns())
    text = "\n".join(lines(run, request, timezone.now()))
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    return raw.attached(response, f"{run.pk}-report.md")


def lines(run: Run, request: HttpRequest, now: datetime) -> Iterator[str]:
    """Header, why, where the time went, attempts, documents, the end of the log."""
    look = presenters.look(run)
    yield f"# {look.word}: {plain(run.task_id)} {run.pk}\n"
    yield from header(run, now)
    yield from reasons(run, now)
    yield from times(run, now)
    yield "\n## Attempts\n"
    cards = run_attempts.context(run, request)["cards"][:ATTEMPTS]
    for card in cards:
        yield from attempt(card)
    if not cards:
        yield "None was started.\n"
    yield from written(run)
    yield from stored(run)
    yield from log(run)
    environment = conf.get("ENVIRONMENT")["name"]
    yield f"\n---\n\n{plain(environment)}, {moment(now)}\n"


def header(run: Run, now: datetime) -> Iterator[str]:
    address = str(conf.get("URL")).rstrip("/") + reverse("dashboard:run", args=[run.pk])
    facts = (
        ("Address", address),
        ("Status", presenters.look(run).word),
        ("Created", moment(run.created_at)),
        ("Started", moment(run.started_at)),
        ("Finished", moment(run.finished_at)),
        ("Took", presenters.duration_text(presenters.run_time(run, now))),
        ("Attempts", f"{presenters.tries(run)} of {run.max_attempts}"),
        ("Queue", run.queue),
        ("Version", run.version or "–"),
        ("Machine", run.machine),
        ("Tags", ", ".join(run.tag_list) or "–"),
        ("Parent", run.parent_id or "–"),
        ("Replay of", run.replayed_from_id or "–"),
    )
    for name, value in facts:
        yield f"* **{name}**: {plain(value)}"


def written(run: Run) -> Iterator[str]:
    for number, (note, text) in enumerate(run_tabs.told_notes(run)):
        if not number:
            yield "\n## Notes\n"
        yield f"* {moment(note.at)}, {plain(note.actor.partition(':')[2] or note.actor)}: {plain(text)}"


def reasons(run: Run, now: datetime) -> Iterator[str]:
    stands = why.standing(run, now)
    told = why.context(run, stands, now)
    if not told["has_why"]:
        return
    yield "\n## Why\n"
    for label, gate in stands.ladder:
        mark = "passed" if gate.open else "blocked"
        until = f" {moment(gate.until)}" if gate.until else ""
        yield f"* {label}: {mark}. {plain(gate.sentence)}{until}"
    if failure := told["failure_of_run"]:
        said = f": {plain(failure.first_line)}" if failure.first_line else ""
        yield f"**{plain(failure.name)}**{said}"
        if failure.own_place:
            frame = failure.own_place[1]
            yield f"in `{code(frame.function)}`, `{code(frame.file)}:{frame.line}`"
    for sentence in (told["met"], run.reason, told["hint"]):
        if sentence:
            yield f"\n{plain(sentence)}"


def times(run: Run, now: datetime) -> Iterator[str]:
    found = trace_times.of(trace.of(run, now).rows, now)
    parts = (
        ("In the queue", found.queued),
        ("Executing", found.executing),
        ("Waiting", found.waiting),
        ("Between attempts", found.resting),
    )
    yield "\n## Where the time went\n"
    for name, some in parts:
        if (took := length(some)) > timedelta():
            yield f"* {name}: {presenters.duration_text(took)}"


def attempt(card: AttemptCard) -> Iterator[str]:
    number, session = card.attempt.number, card.session
    where = f" on {plain(session.host)}, process {card.attempt.pid}" if session else ""
    took = presenters.duration_text(card.took)
    yield f"### Attempt {number}: {card.look.word}\n"
    yield f"{moment(card.attempt.started_at)}, {took}{where}\n"
    if card.failure:
        text = card.failure.stack or f"{card.failure.name}: {card.failure.message}"
        yield fenced(text[-STACK:])


def stored(run: Run) -> Iterator[str]:
    row = Run.objects.only(*Run.objects.all().HEAVY).get(pk=run.pk)
    for name, title, text in (
        ("payload", "Payload", row.payload),
        ("output", "Output", row.output),
        ("metadata", "Metadata", row.metadata),
    ):
        if text is None:
            continue
        shown = documents.text(text, name)
        yield f"\n## {title}\n"
        yield fenced(documents.shortened(shown, DOCUMENT), "json")


def log(run: Run) -> Iterator[str]:
    found = run_logs.last(run, LINES)
    if not found:
        return
    yield f"\n## The last {len(found)} log lines\n"
    yield fenced("\n".join(raw.line_of(line) for line in found))


# -- Markdown ---------------------------------------------------------------------------------------


def plain(text: object) -> str:
    """Text that means nothing to Markdown."""
    flat = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", flat)


def code(text: str) -> str:
    return text.replace("`", "'")


def fenced(text: str, kind: str = "") -> str:
    """A block that nothing inside ends."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{text}\n{fence}\n"


def moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
