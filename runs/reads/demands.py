"""What each term of a search demands of a run, as conditions of the database."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import DateTimeField, DurationField, Exists, F, OuterRef, Q, Value
from django.db.models.expressions import CombinedExpression, Expression
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    In,
    IRegex,
    LessThan,
    LessThanOrEqual,
)
from django.utils import timezone

from runs.models import Attempt, BulkRun, Failure, Lease, Queue, RunTag, Task, WorkerSession
from runs.reads import grammar, measures
from runs.reads.documents import UNESCAPED, JsonAt, NumberAt, TextAt, spellings
from runs.reads.grammar import Term
from runs.reads.qualifiers import QUALIFIERS
from runs.reads.windows import floor_id

#: Names a pattern stands for.
MOST_NAMES = 500
#: Who may stand before the name of an actor.
ACTORS = ("user:", "key:", "cli:", "")


def is_heavy(term: Term) -> bool:
    """Whether a run has to be opened to know; such terms look at the newest runs alone."""
    return bool(term.document) or term.name in {"error", "worker"}


def window(terms: Iterable[Term], now: datetime) -> tuple[datetime | None, datetime | None]:
    """What `after:` and `before:` say."""
    bounds: dict[str, list[datetime]] = {"after": [], "before": []}
    for term in terms:
        if term.name in bounds:
            bounds[term.name] += [measures.moment(text, now) for text in term.texts]
    return max(bounds["after"], default=None), min(bounds["before"], default=None)


def condition(term: Term, start: datetime | None = None) -> Q:
    """The condition of one term; times are no conditions but a window."""
    if term.document:
        return _document(term)
    found = reduce(or_, _CONDITIONS.get(term.name, _column)(term, start))
    return ~found if term.negated else found


def _column(term: Term, start: datetime | None) -> list[Q]:
    column = QUALIFIERS[term.name].column
    plain = [value.text for value in term.values if not value.is_pattern]
    found = [Q(**{f"{column}__in": plain})] if plain else []
    return found + [_like(column, value.text) for value in term.values if value.is_pattern]


def _named(term: Term, start: datetime | None) -> list[Q]:
    """By the names of tasks or queues: few, and the run's index has them."""
    column = QUALIFIERS[term.name].column
    names = [value.text for value in term.values if not value.is_pattern]
    found: list[Q] = []
    for value in term.values:
        if value.is_pattern:
            known = [] if term.negated else _known(term.name, value.text)
            names += known
            found += [] if known else [_like(column, value.text)]
    return found + ([Q(**{f"{column}__in": names})] if names else [])


def _known(kind: str, pattern: str) -> list[str]:
    if kind == "task":
        tasks = Task.objects.filter(_like("id", pattern)).values_list("id", flat=True)
        return list(tasks[:MOST_NAMES])
    queues = Queue.objects.filter(_like("name", pattern)).values_list("name", flat=True)
    return list(queues[:MOST_NAMES])


def _word(term: Term, start: datetime | None) -> list[Q]:
    """A word alone: a run's id, or a part of the name of its task."""
    text = term.texts[0]
    if text.lower().startswith("run_"):
        return [_begins(text.lower())]
    pattern = grammar.Value(text if term.values[0].is_pattern else f"*{text}*")
    return _named(Term("task", (pattern,), term.negated), start)


def _begins(beginning: str) -> Q:
    # "{" is the character after "z": a range uses the key on both databases, LIKE does not
    return Q(id__gte=beginning, id__lt=beginning + "{")


def _run(term: Term, start: datetime | None) -> list[Q]:
    return [_begins(text) for text in term.texts]


def _tag(term: Term, start: datetime | None) -> list[Q]:
    plain = [value.text for value in term.values if not value.is_pattern]
    wanted = [Q(tag__in=plain)] if plain else []
    wanted += [_like("tag", value.text) for value in term.values if value.is_pattern]
    tags = RunTag.objects.filter(reduce(or_, wanted))
    if start is not None:
        tags = tags.filter(run_id__gte=floor_id("run", start))
    return [Q(id__in=tags.values("run_id"))]


def _by(term: Term, start: datetime | None) -> list[Q]:
    plain = [value.text for value in term.values if not value.is_pattern]
    found = [Q(actor__in=[f"{kind}{name}" for name in plain for kind in ACTORS])] if plain else []
    return found + [_like("actor", f"*{v.text}") for v in term.values if v.is_pattern]


def _test(term: Term, start: datetime | None) -> list[Q]:
    return [Q(is_test=text == "yes") for text in term.texts]


def _root(term: Term, start: datetime | None) -> list[Q]:
    words = {"yes": Q(parent_id__isnull=True), "no": Q(parent_id__isnull=False)}
    return [words.get(text) or Q(root_id=text) | Q(id=text) for text in term.texts]


def _bulk(term: Term, start: datetime | None) -> list[Q]:
    return [Q(id__in=BulkRun.objects.filter(action_id__in=term.texts).values("run_id"))]


def _group(term: Term, start: datetime | None) -> list[Q]:
    failures = Failure.objects.filter(fingerprint__in=term.texts)
    if start is not None:
        failures = failures.filter(run_id__gte=floor_id("run", start))
    return [Q(id__in=failures.values("run_id"))]


def _worker(term: Term, start: datetime | None) -> list[Q]:
    """Who executes it, or executed an attempt of it."""
    wanted = Q()
    for value in term.values:
        for column in ("id", "host", "cluster"):
            wanted |= _like(column, value.text) if value.is_pattern else Q(**{column: value.text})
    sessions = WorkerSession.objects.filter(wanted).values("id")
    mine = {"run_id": OuterRef("pk"), "session_id__in": sessions}
    return [
        Q(Exists(Attempt.objects.filter(**mine).values("run_id")))
        | Q(Exists(Lease.objects.filter(**mine).values("run_id")))
    ]


def _error(term: Term, start: datetime | None) -> list[Q]:
    found = []
    for text in term.texts:
        places = [TextAt("error", (place,)) for place in ("name", "message")]
        # the text of the whole document first: most are not worth a look into
        likely = Q(error__icontains=text) if UNESCAPED.fullmatch(text) else Q(error__isnull=False)
        there = (Q(IContains(Coalesce(place, Value("")), text)) for place in places)
        found.append(likely & reduce(or_, there))
    return found


def _document(term: Term) -> Q:
    """A value at a place. What is not there is not equal to anything."""
    found: list[Q] = []
    for value in term.values:
        if value.is_comparison:
            at: Expression = NumberAt(term.document, term.path)
            found.append(_compared(at, measures.compared(value.text, measures.number)))
            continue
        if value.is_pattern:
            place = Coalesce(TextAt(term.document, term.path), Value(""))
            found.append(Q(IRegex(place, _expression(value.text))))
        else:
            place = Coalesce(JsonAt(term.document, term.path, value.text), Value(""))
            found.append(Q(In(place, spellings(value.text))))
    every = reduce(or_, found)
    return ~every if term.negated else every


def _length(term: Term, start: datetime | None) -> list[Q]:
    now = Value(timezone.now(), output_field=DateTimeField())
    begin = F("started_at") if term.name == "dur" else F("queued_at")
    end = Coalesce("finished_at", now)
    if term.name == "wait":
        end = Coalesce("started_at", "finished_at", now)
    length = CombinedExpression(end, "-", begin, output_field=DurationField())
    return [
        _compared(length, measures.compared(text, measures.span), lambda s: timedelta(seconds=s))
        for text in term.texts
    ]


def _attempts(term: Term, start: datetime | None) -> list[Q]:
    tries = Greatest("attempt_number", "waited_attempt") - F("uncounted_attempts")
    return [
        _compared(tries, measures.compared(text, measures.number, exact=True), int)
        for text in term.texts
    ]


def _like(column: str, pattern: str) -> Q:
    """Upper and lower case alike, as both databases can."""
    inner = pattern.strip("*")
    if "*" in inner:
        return Q(**{f"{column}__iregex": _expression(pattern)})
    if not inner:
        return Q(**{f"{column}__gt": ""})
    ends = (pattern.startswith("*"), pattern.endswith("*"))
    lookup = {(False, True): "istartswith", (True, False): "iendswith"}.get(ends, "icontains")
    return Q(**{f"{column}__{lookup}": inner})


def _expression(pattern: str) -> str:
    inside = ".*".join(re.escape(part) for part in pattern.split("*"))
    return f"^{inside}$" if pattern.strip("*") else "."


def _compared(what: Any, bounds: measures.Compared, as_value: Callable[[float], Any] = float) -> Q:
    found = Q()
    lookups = (GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual)
    for lookup, bound in zip(lookups, bounds, strict=True):
        if bound is not None:
            found &= Q(lookup(what, as_value(bound)))
    return found


_CONDITIONS: dict[str, Callable[[Term, datetime | None], list[Q]]] = {
    "": _word,
    "task": _named,
    "queue": _named,
    "run": _run,
    "tag": _tag,
    "by": _by,
    "test": _test,
    "root": _root,
    "bulk": _bulk,
    "group": _group,
    "worker": _worker,
    "error": _error,
    "dur": _length,
    "wait": _length,
    "attempts": _attempts,
}
