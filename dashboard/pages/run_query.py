"""The runs list's address: filters as a person sees them, and back to an address."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from dashboard import veiled
from dashboard.pages import columns, periods, reading, run_terms, zones
from dashboard.pages.columns import Column
from dashboard.pages.periods import DEFAULT_PERIOD, PERIODS
from dashboard.pages.run_terms import SEVERAL, SINGLE, TESTS
from dashboard.presenters import LOOKS
from runs.reads import demands, grammar
from runs.reads.grammar import GrammarError, Term
from runs.reads.runfilter import RunFilter

SIZES = (10, 25, 50, 100)
DEFAULT_SIZE = 25
#: No id begins so.
NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, and the list without it."""

    name: str
    value: str
    rest: "RunQuery"

    @property
    def query(self) -> str:
        """The address of the list without it."""
        return self.rest.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """What the address asks for. Unknown words are dropped: an old link never fails."""

    status: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    test: str = ""
    parent: str = ""
    origin: str = ""
    schedule: str = ""
    batch: str = ""
    machine: str = ""
    version: str = ""
    error: str = ""
    #: What no field above can say.
    more: tuple[Term, ...] = ()
    #: What was typed, where it is no search, and why.
    typed: str = ""
    problem: GrammarError | None = None
    period: str = DEFAULT_PERIOD
    start: datetime | None = None
    end: datetime | None = None
    size: int = DEFAULT_SIZE
    #: The table's columns, in order.
    shown: tuple[Column, ...] = columns.STANDARD
    #: Whether a row that has an error says which.
    lines: bool = True
    #: Of the link: whoever opens it sees the times of this zone.
    zone: str = ""
    #: The saved view it began with.
    view: str = ""

    @classmethod
    def parse(cls, data: QueryDict) -> "RunQuery":
        start, end = reading.moment(data.get("from", "")), reading.moment(data.get("to", ""))
        size = data.get("rows", "")
        typed = data.get("q", "").strip()
        terms, problem = _read(typed)
        fields, more = run_terms.fold(terms, _fields(data))
        given: dict[str, Any] = {name: fields.pop(name, ("",))[0] for name in SINGLE}
        given |= {name: values[: reading.MAX_VALUES] for name, values in fields.items()}
        return cls(
            **given,
            more=tuple(more),
            typed=typed[: grammar.LONGEST] if problem else "",
            problem=problem,
            period=reading.one_of(data.get("period", ""), PERIODS, DEFAULT_PERIOD),
            start=start,
            end=end,
            size=int(size) if size in map(str, SIZES) else DEFAULT_SIZE,
            shown=_shown(data),
            lines=data.get("lines") != "0",
            zone=data.get("tz", "") if zones.find(data.get("tz", "")) else "",
            view=data.get("view", "") if data.get("view", "").isalnum() else "",
        )

    @property
    def terms(self) -> tuple[Term, ...]:
        """The whole search, in the language of the box."""
        fields = {name: getattr(self, name) for name in SEVERAL}
        fields |= {name: (value,) for name in SINGLE if (value := getattr(self, name))}
        return (*run_terms.unfold(fields), *self.more)

    @property
    def text(self) -> str:
        """What stands in the box."""
        return self.typed or grammar.write(self.terms)

    @property
    def rest(self) -> str:
        """The part of it no field of the form has."""
        return grammar.write(self.more)

    def filter(self, now: datetime) -> RunFilter:
        """The filter to ask the database with; what could not be read matches nothing at all."""
        start, end = self.window(now)
        return RunFilter(
            status=self.status,
            task=self.task,
            queue=self.queue,
            tag=self.tag,
            run=(NOBODY,) if self.problem else self.run,
            test={"1": True, "0": False}.get(self.test),
            parent=self.parent,
            replayed_from=self.origin,
            schedule=self.schedule,
            batch=self.batch,
            machine=self.machine,
            version=self.version,
            error=self.error,
            query=self.rest,
            start=start,
            end=end,
        )

    @property
    def bounds(self) -> bool:
        """Whether times of one's own stand in for the period."""
        times = any(term.name in {"after", "before"} for term in self.more)
        return bool(self.start or self.end or times)

    def window(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """From and to; ids name runs by themselves, so they are looked for in all time."""
        after, before = demands.window(self.more, now)
        if after or before:
            return after, before
        if self.start or self.end:
            return self.start, self.end
        length = PERIODS[self.period][1]
        if length is None or self.run or self.parent or self.origin or self.batch:
            return None, None
        return now - length, None

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The address's parts that differ from the default, in one order."""
        for name in SEVERAL:
            yield from ((name, value) for value in getattr(self, name))
        for name in SINGLE:
            if value := getattr(self, name):
                yield name, value
        if self.more:
            yield "q", self.rest
        yield from self._view()

    def _view(self) -> Iterator[tuple[str, str]]:
        """The window, the table's looks, and whose it is."""
        for name, moment in (("from", self.start), ("to", self.end)):
            if moment:
                yield name, moment.isoformat()
        if self.period != DEFAULT_PERIOD and not (self.start or self.end):
            yield "period", self.period
        if self.size != DEFAULT_SIZE:
            yield "rows", str(self.size)
        yield from self._looks()
        yield from (
            (name, value) for name, value in (("tz", self.zone), ("view", self.view)) if value
        )

    def _looks(self) -> Iterator[tuple[str, str]]:
        """The table's columns."""
        standard, added = self.shown[: len(columns.STANDARD)], self.shown[len(columns.STANDARD) :]
        if standard == columns.STANDARD and all(one.source for one in added):
            yield from (("col", column.name) for column in added)
        else:
            yield "cols", ",".join(column.name for column in self.shown)
        if not self.lines:
            yield "lines", "0"

    @property
    def is_arranged(self) -> bool:
        """Whether the address says all columns."""
        return any(name == "cols" for name, _ in self._view())

    def encode(self) -> str:
        return urlencode(list(self.pairs()))

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What a form of filters carries along: the window and the table's looks."""
        return list(self._view())

    @property
    def saved(self) -> str:
        """What a view keeps of it."""
        return replace(self, view="", zone="", size=DEFAULT_SIZE).encode()

    @property
    def unseen(self) -> list[tuple[str, str]]:
        """Filters that have no control of their own."""
        shown = {"machine", "version", "test"}
        single = [(name, getattr(self, name)) for name in SINGLE if name not in shown]
        ids = [("run", run_id) for run_id in self.run]
        return ids + [(name, value) for name, value in single if value]

    @property
    def plainly(self) -> list[tuple[str, str]]:
        """What a form of the table's looks carries along."""
        return list(replace(self, size=DEFAULT_SIZE, lines=True).pairs())

    @property
    def timeless(self) -> list[tuple[str, str]]:
        """What a form of times carries along."""
        rest = replace(self.with_period(DEFAULT_PERIOD), typed="", problem=None)
        return list(rest.pairs())

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the window is asked for."""
        fields = (*SEVERAL, *SINGLE, "more")
        return any(getattr(self, name) for name in fields)

    def cleared(self) -> "RunQuery":
        """The same window without filters."""
        fields = dict.fromkeys(SEVERAL, ()) | dict.fromkeys(SINGLE, "")
        return replace(self, **fields, more=(), typed="", problem=None, view="")  # type: ignore[arg-type]

    def with_period(self, period: str) -> "RunQuery":
        more = tuple(term for term in self.more if term.name not in {"after", "before"})
        return replace(self, period=period, start=None, end=None, more=more)

    def _with(self, name: str, value: Any) -> "RunQuery":
        return replace(self, **{name: value})

    def wider(self) -> list[str]:
        return periods.wider(self.period)

    def narrower(self) -> list[str]:
        return periods.narrower(self.period)

    def chips(self) -> list[Chip]:
        """One chip per value."""
        chips = []
        for name in SEVERAL:
            values = getattr(self, name)
            for value in values:
                rest = self._with(name, tuple(other for other in values if other != value))
                word = LOOKS[value].word if name == "status" else value
                chips.append(Chip(name, word, rest))
        for name, words in SINGLE.items():
            if value := getattr(self, name):
                rest = self._with(name, "")
                chips.append(Chip(words, TESTS.get(value, value), rest))
        for term in self.more:
            for value in term.values:
                rest = self._with("more", run_terms.without(self.more, term, value))
                chips.append(Chip(run_terms.label(term), value.text, rest))
        return chips


def _read(text: str) -> tuple[tuple[Term, ...], GrammarError | None]:
    try:
        terms = grammar.parse(text)
        for term in terms:
            if refusal := veiled.refused(term):
                raise GrammarError(refusal, max(text.find(term.name), 0))
        return terms, None
    except GrammarError as error:
        return (), error


def _shown(data: QueryDict) -> tuple[Column, ...]:
    """`cols` says all of them, `col` what is added to the usual ones."""
    if order := reading.split(reading.values(data, "cols")):
        return columns.arranged(order)
    return (*columns.STANDARD, *columns.parsed(reading.split(reading.values(data, "col"))))


def _fields(data: QueryDict) -> run_terms.Fields:
    """What the fields of the address say."""
    several = {name: reading.values(data, name) for name in SEVERAL}
    several["status"] = tuple(word for word in several["status"] if word in LOOKS)
    several["tag"] = reading.split(several["tag"])
    several["run"] = tuple(map(reading.whole_id, reading.split(several["run"])))
    single = {name: (text,) for name in SINGLE if (text := reading.text_of(data.get(name, "")))}
    if single.get("test", ("1",))[0] not in TESTS:
        del single["test"]
    return several | single
