"""The trace of a run: attempts, steps, waits, child runs and spans, as one tree.

Spans have rows of their own. All the rest is made of the rows that tell it anyway.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from runs import tracing
from runs.models import Attempt, Run, Span
from runs.reads import attempts
from runs.reads.trace_entries import ENTRIES, entries_of
from runs.reads.trace_nodes import CANCELED, CUT, ENDED, ERROR, OK, OPEN, WAITING, Node, message
from runs.states import AttemptStatus, EntryKind, RunStatus

#: Spans read at once, and child runs the journal does not name.
SPANS = 1000
CHILDREN = 200
#: The end of a span may be on its way for so long after its attempt ended.
LATE = timedelta(seconds=3)
ATTEMPTS = {
    AttemptStatus.EXECUTING: OPEN,
    AttemptStatus.WAITING: WAITING,
    AttemptStatus.COMPLETED: OK,
    AttemptStatus.CANCELED: CANCELED,
    AttemptStatus.RELEASED: CANCELED,
}


class SpanRow(NamedTuple):
    """What is read of a row: a model of each takes longer than all the rest, and there may be a thousand."""

    id: int
    span_id: str
    parent_id: str
    kind: str
    name: str
    status: str
    error: str
    attributes: str
    started_at: datetime
    ended_at: datetime | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Trace:
    """`rows` are in the order of a tree, each before its children."""

    trace_id: str
    rows: list[Node]
    #: Of the last span's row that was read.
    last: int
    #: There are more spans after it.
    has_more: bool
    #: Entries or child runs were left out.
    is_partial: bool

    @property
    def root(self) -> Node:
        return self.rows[0]

    def find(self, span_id: str) -> Node | None:
        """One of them."""
        return next((node for node in self.rows if node.id == span_id), None)

    def below(self, span_id: str) -> list[Node]:
        """One of them and all that is below it; everything when there is no such span."""
        for index, node in enumerate(self.rows):
            if node.id == span_id:
                rest = self.rows[index + 1 :]
                end = next((n for n, row in enumerate(rest) if row.depth <= node.depth), len(rest))
                return [node, *rest[:end]]
        return self.rows


def of(run: Run, now: datetime, after: int = 0) -> Trace:
    """The run's trace with the next SPANS spans that were written after the row `after`."""
    if run.started_at is None and not run.is_final:
        return never_started(run)
    found = attempts.of(run)
    rows, has_more = spans_of(run.pk, after)
    nodes = [from_attempt(one) for one in found]
    resting(run, found, nodes)
    entries: list[Node] = []
    children: list[Node] = []
    born: list[Run] = []
    if not after:
        born = born_of(run)
        entries = list(entries_of(run, {child.pk: child for child in born}))
        children = list(children_of(born, {node.target for node in entries}, nodes))
    merged = list(from_spans(rows))
    ended = {attempt.number: attempt for attempt in found if attempt.finished_at is not None}
    for node in (*entries, *merged):
        cut_off(node, ended, now)
    root = from_run(run)
    return Trace(
        trace_id=tracing.context_of(run.pk, run.traceparent, run.tracestate).trace_id,
        rows=list(tree(root, nodes, [*queued(run), *entries, *children, *merged])),
        last=rows[-1].id if rows else after,
        has_more=has_more,
        is_partial=len(entries) >= ENTRIES
        or len(children) >= CHILDREN
        or len(born) >= CHILDREN + ENTRIES,
    )


def never_started(run: Run) -> Trace:
    """Nothing was recorded of it: no question is asked."""
    trace_id = tracing.context_of(run.pk, run.traceparent, run.tracestate).trace_id
    rows = list(tree(from_run(run), [], list(queued(run))))
    return Trace(trace_id=trace_id, rows=rows, last=0, has_more=False, is_partial=False)


# -- what it is made of -------------------------------------------------------------------------------


def from_run(run: Run) -> Node:
    status = ENDED.get(RunStatus(run.status), ERROR) if run.is_final else OPEN
    node = Node(run.pk, "", "run", run.task_id, status, run.created_at, run.finished_at)
    if run.status == RunStatus.WAITING:
        node.state = WAITING
    node.status, node.begun_at = run.status, run.started_at
    return node


def queued(run: Run) -> Iterator[Node]:
    """The time before the first start."""
    until = run.started_at or run.finished_at
    begun = run.queued_at or run.created_at
    if until is None or until - begun >= timedelta(milliseconds=1):
        name = "In the queue" if run.queued_at else "Before its queue"
        status = OPEN if until is None else OK
        yield Node("queue", run.pk, "queue", name, status, min(begun, until or begun), until)


def from_attempt(one: Attempt) -> Node:
    return Node(
        id=tracing.attempt_span_id(one.run_id, one.number),
        parent_id=one.run_id,
        kind="attempt",
        name=f"Attempt {one.number}",
        state=ATTEMPTS.get(AttemptStatus(one.status), ERROR),
        started_at=one.started_at,
        ended_at=one.finished_at,
        attempt=one.number,
        error=message(one.error),
    )


def resting(run: Run, found: list[Attempt], nodes: list[Node]) -> None:
    """Between two attempts nothing executes."""
    if not nodes:
        return
    begins = [*(one.started_at for one in found[1:]), run.retry_at if run.is_retrying else None]
    for node, begin in zip(nodes, begins, strict=True):
        if node.ended_at is not None and begin is not None and begin > node.ended_at:
            node.rests_until = begin


def spans_of(run_id: str, after: int) -> tuple[list[SpanRow], bool]:
    """Rows after the row `after`, and whether there are more."""
    rows = Span.objects.filter(run_id=run_id)
    if after:
        known = rows.filter(id__lte=after, ended_at=None).values("span_id")
        rows = rows.filter(id__gt=after).exclude(span_id__in=known)
    found = _read(rows.order_by("id")[: SPANS + 1])
    if len(found) <= SPANS:
        return found, False
    found = found[:SPANS]
    open_ids = {row.span_id for row in found if row.ended_at is None}
    ends = Span.objects.filter(run_id=run_id, id__gt=found[-1].id, span_id__in=open_ids)
    # their ends, before the last row: it says where the next page goes on
    return [*found[:-1], *_read(ends.exclude(ended_at=None)), found[-1]], True


def _read(rows: QuerySet[Span]) -> list[SpanRow]:
    return [SpanRow._make(row) for row in rows.values_list(*SpanRow._fields)]


def from_spans(rows: Iterable[SpanRow]) -> Iterator[Node]:
    """One node for each span: when it started says its first row, all else its last."""
    merged: dict[str, SpanRow] = {}
    began: dict[str, datetime] = {}
    for row in sorted(rows):
        began[row.span_id] = min(began.get(row.span_id, row.started_at), row.started_at)
        merged[row.span_id] = row
    for span_id, row in merged.items():
        yield Node(
            id=span_id,
            parent_id=row.parent_id,
            kind=row.kind,
            name=row.name,
            state=row.status,
            started_at=began[span_id],
            ended_at=row.ended_at,
            attempt=row.attempt,
            error=row.error,
            attributes=row.attributes,
        )


def born_of(run: Run) -> list[Run]:
    """Its child runs, those it waits for and others."""
    found = Run.objects.light().defer("error").filter(parent_id=run.pk)
    return list(found.order_by("id")[: CHILDREN + ENTRIES])


def children_of(born: list[Run], known: set[str], nodes: list[Node]) -> Iterator[Node]:
    """Child runs that nobody waits for."""
    for child in [one for one in born if one.pk not in known][:CHILDREN]:
        caller = tracing.parsed(child.traceparent)
        begun = [node for node in nodes if node.started_at <= child.created_at]
        node = from_run(child)
        node.kind, node.target, node.id = "child", child.pk, child.pk
        node.parent_id = caller.span_id if caller else ""
        node.attempt = begun[-1].attempt if begun else 0
        yield node


def cut_off(node: Node, ended: dict[int, Attempt], now: datetime) -> None:
    """What is open in an attempt that is over has ended with it; how, nobody told."""
    over = ended.get(node.attempt)
    if not node.is_open or over is None or over.finished_at is None or node.kind == EntryKind.CHILD:
        return
    if now - over.finished_at >= LATE:
        node.state = CANCELED if over.status == AttemptStatus.CANCELED else CUT
        node.ended_at = max(over.finished_at, node.started_at)


# -- as a tree ----------------------------------------------------------------------------------------


def tree(root: Node, nodes: list[Node], others: list[Node]) -> Iterator[Node]:
    """Everything below the root, in the order it began."""
    known = {node.id: node for node in (root, *nodes, *others)}
    by_number = {node.attempt: node for node in nodes}
    for node in (*nodes, *others):
        above = known.get(node.parent_id)
        if above is None or above is node:
            above = by_number.get(node.attempt, root)
        above.children.append(node)
    return walked(root)


def walked(root: Node) -> Iterator[Node]:
    """Depth first, without recursion: spans nest as deep as code does."""
    seen: set[int] = set()
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        node.depth = depth
        yield node
        in_order = sorted(node.children, key=lambda one: (one.started_at, one.kind != "queue"))
        waiting += [(child, depth + 1) for child in reversed(in_order)]
