"""One grammar of filters for runs: a value that becomes a queryset, and that can be written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from runs.models import BulkRun, Failure, Run, RunTag
from runs.models.run import RunQuerySet
from runs.reads import demands, grammar
from runs.reads.demands import is_heavy
from runs.reads.grammar import Term
from runs.reads.windows import floor_id, moment_of

#: Runs that are opened at most to look into their documents, the newest ones.
OPENED = 100_000
#: And of runs with an error, which an index tells from the others.
FAILING_OPENED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs. Empty means any; several values of one field mean any of them."""

    status: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    #: Whole ids or their beginnings.
    run: tuple[str, ...] = ()
    test: bool | None = None
    parent: str = ""
    replayed_from: str = ""
    schedule: str | tuple[str, ...] = ""
    batch: str | tuple[str, ...] = ""
    machine: str | tuple[str, ...] = ""
    version: str | tuple[str, ...] = ""
    #: Bulk actions that canceled or made them.
    bulk: tuple[str, ...] = ()
    #: Fingerprints of errors that an attempt of theirs failed by.
    error: str | tuple[str, ...] = ""
    #: More demands, in the language of `runs.reads.grammar`; times in it are not looked at.
    query: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def runs(self) -> RunQuerySet:
        """The runs that match, in no order. Raises GrammarError."""
        runs = self._light()
        opened = [demands.condition(term, self.start) for term in self._terms() if is_heavy(term)]
        if not opened:
            return runs
        return runs.filter(*opened, id__gt=Coalesce(Subquery(self._beyond(runs)), Value("")))

    @property
    def opened(self) -> int:
        """How many runs are looked into at most."""
        return FAILING_OPENED if self.opens_errors else OPENED

    @property
    def opens_errors(self) -> bool:
        """Whether runs without an error cannot match."""
        return any(term.name == "error" and not term.negated for term in self._terms())

    @property
    def is_in_order(self) -> bool:
        """Whether an index has those that may match, the newest first: all runs with an error. With
        other demands another index may lead to fewer of them.
        """
        others = self.run or self.tag or self.bulk or self.error or self.test is not None
        if others or self._columns():
            return False
        return self.opens_errors and all(term.name == "error" for term in self._terms())

    def reach(self) -> datetime | None:
        """How far back runs are opened to look into them; None where all that are meant are."""
        if not any(map(is_heavy, self._terms())):
            return None
        last = self._beyond(self._light()).first()
        return None if last is None else moment_of(last["id"])

    def _beyond(self, runs: RunQuerySet) -> QuerySet[Run, Any]:
        """The newest run that is too old to be opened, if there are that many."""
        return runs.order_by("-id").values("id")[self.opened : self.opened + 1]

    def _terms(self) -> tuple[Term, ...]:
        terms = grammar.parse(self.query) if self.query else ()
        return tuple(term for term in terms if term.name not in {"after", "before"})

    def _light(self) -> RunQuerySet:
        """What is known without opening a run."""
        runs = Run.objects.all()
        for column, values in self._columns().items():
            runs = runs.filter(
                **{column: values[0]} if len(values) == 1 else {f"{column}__in": values}
            )
        if self.test is not None:
            runs = runs.filter(is_test=self.test)
        if self.bulk:
            touched = BulkRun.objects.filter(action_id__in=self.bulk)
            runs = runs.filter(id__in=touched.values("run_id"))
        if self.opens_errors:
            runs = runs.filter(error__isnull=False)
        easy = [demands.condition(term, self.start) for term in self._terms() if not is_heavy(term)]
        found = self._by_error(self._by_tag(self._by_id(self._window(runs))))
        return found.filter(*easy)

    @property
    def facts(self) -> dict[str, Any]:
        """What it asks for as plain JSON, without what it leaves open."""
        asked = {name: value for name, value in asdict(self).items() if value not in ((), "", None)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asked.items()
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The filter whose facts these are."""
        return cls(**{name: _value(name, value) for name, value in facts.items()})

    def _columns(self) -> dict[str, tuple[str, ...]]:
        columns = {
            "status": self.status,
            "task_id": self.task,
            "queue": self.queue,
            "parent_id": _several(self.parent),
            "replayed_from_id": _several(self.replayed_from),
            "schedule_id": _several(self.schedule),
            "batch_id": _several(self.batch),
            "machine": _several(self.machine),
            "version": _several(self.version),
        }
        return {column: values for column, values in columns.items() if values}

    def _window(self, runs: RunQuerySet) -> RunQuerySet:
        if self.start is not None:
            runs = runs.filter(id__gte=floor_id("run", self.start))
        if self.end is not None:
            runs = runs.filter(id__lt=floor_id("run", self.end))
        return runs

    def _by_id(self, runs: RunQuerySet) -> RunQuerySet:
        if not self.run:
            return runs
        found = Run.objects.none()
        for beginning in self.run:
            # "{" is the character after "z": a range uses the key on both databases, LIKE does not
            found = found | Run.objects.filter(id__gte=beginning, id__lt=beginning + "{")
        return runs & found

    def _by_tag(self, runs: RunQuerySet) -> RunQuerySet:
        if not self.tag:
            return runs
        tags = RunTag.objects.filter(tag__in=self.tag)
        if self.start is not None:
            tags = tags.filter(run_id__gte=floor_id("run", self.start))
        return runs.filter(id__in=tags.values("run_id"))

    def _by_error(self, runs: RunQuerySet) -> RunQuerySet:
        if not self.error:
            return runs
        named = [one.removeprefix("error_") for one in _several(self.error)]
        failures = Failure.objects.filter(fingerprint__in=named)
        if self.start is not None:
            failures = failures.filter(run_id__gte=floor_id("run", self.start))
        return runs.filter(id__in=failures.values("run_id"))


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return value


def _value(name: str, value: Any) -> Any:
    if name in {"start", "end"}:
        return datetime.fromisoformat(value)
    return tuple(value) if isinstance(value, list) else value
