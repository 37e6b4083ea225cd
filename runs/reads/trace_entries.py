"""What a trace takes from the journal: steps, waits and the runs they are for."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db.models import OuterRef, Subquery

from runs import tracing
from runs.models import Journal, Run, Waitpoint
from runs.reads.trace_nodes import ENDED, ERROR, OK, OPEN, WAITING, Node, message
from runs.states import EntryKind, EntryStatus, RunStatus, TokenStatus

#: Entries read at once.
ENTRIES = 500


def entries_of(run: Run, children: Mapping[str, Run]) -> Iterator[Node]:
    """What the journal has: steps, waits, awaited runs (its `children`, and others), tokens."""
    found = Journal.objects.filter(run_id=run.pk).exclude(kind=EntryKind.WARNING)
    entries = list(
        found.order_by("attempt", "position", "ordinal")
        .defer("args", "result")
        .annotate(token_status=told_of_token("status"), token_ended=told_of_token("completed_at"))[
            :ENTRIES
        ]
    )
    targets = {entry.target for entry in entries if (entry.target or "").startswith("run_")}
    others = Run.objects.light().defer("error").in_bulk(list(targets - children.keys()))
    runs = {**children, **others}
    firsts = [entry for entry in entries if entry.kind == EntryKind.FIRST]
    for entry in entries:
        if entry.kind == EntryKind.FIRST:
            continue
        node = from_entry(run, entry)
        if entry.target in runs:
            about_run(node, runs[entry.target])
        elif entry.token_status is not None:
            about_token(node, entry.token_status, entry.token_ended)
        elif entry.kind == EntryKind.WAIT:
            about_time(node, entry, run)
        if node.ended_at is None:
            chosen = [one for one in firsts if is_choice(one, entry)]
            node.ended_at = chosen[0].finished_at if chosen else None
            node.state = OK if chosen else node.state
        yield node


def from_entry(run: Run, entry: Journal) -> Node:
    place = entry.attempt, entry.kind, entry.name, entry.ordinal
    names = {EntryKind.WAIT: "Wait", EntryKind.FOR: "Wait for", EntryKind.TOKEN: "Wait token made"}
    return Node(
        id=tracing.entry_span_id(run.pk, *place),
        parent_id=entry.span or tracing.attempt_span_id(run.pk, entry.attempt),
        kind="wait" if entry.kind == EntryKind.FOR else entry.kind,
        name=str(names.get(EntryKind(entry.kind), entry.name)),
        state=ERROR if entry.status == EntryStatus.FAILED else OK,
        started_at=entry.started_at,
        ended_at=entry.finished_at,
        attempt=entry.attempt,
        error=message(entry.error),
        target=entry.target or "",
    )


def is_choice(first: Journal, entry: Journal) -> bool:
    """Whether a wait for the first of several may be what ended the wait for this one."""
    return first.attempt == entry.attempt and first.position > entry.position


def about_run(node: Node, other: Run) -> None:
    node.ended_at = other.finished_at
    node.state = ENDED.get(RunStatus(other.status), ERROR) if other.is_final else OPEN
    if node.kind == EntryKind.CHILD:
        node.name = other.task_id
        node.status, node.begun_at = other.status, other.started_at


def told_of_token(column: str) -> Subquery:
    """A column of the token an entry is about; NULL for other entries."""
    return Subquery(Waitpoint.objects.filter(pk=OuterRef("target")).values(column)[:1])


def about_token(node: Node, status: str, ended_at: datetime | None) -> None:
    node.ended_at = ended_at
    if status == TokenStatus.WAITING:
        node.state = WAITING
    elif status == TokenStatus.TIMED_OUT:
        node.state = ERROR
        node.error = "Nobody completed it in time."
    elif status == TokenStatus.FAILED:
        node.state = ERROR
        node.error = "Somebody ended it with an error."


def about_time(node: Node, entry: Journal, run: Run) -> None:
    """A wait for a time is over at that time, or with its run."""
    over = entry.due_at if run.finished_at is None else min_of(entry.due_at, run.finished_at)
    waits = run.status == RunStatus.WAITING and run.waited_attempt == entry.attempt
    if over is not None and not (waits and entry.due_at and entry.due_at > run.updated_at):
        node.ended_at = over
    else:
        node.state = WAITING


def min_of(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
