"""The whole demo, step by step: each step is one transaction and tells how many runs it made."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from random import Random

from django.db import connection, transaction
from django.utils import timezone

from runs.demo import openruns, rollups, scenery, verdicts, writing
from runs.demo.cast import BY_ID
from runs.demo.copying import Copier
from runs.demo.sidebyside import in_threads
from runs.demo.stories import Storyteller
from runs.demo.world import World
from runs.lifecycle import counting, definitions
from runs.models import Run, Schedule, TickOutcome

#: Runs with log lines and spans; where a database can copy, the others are copies of these.
FULL = 20_000
#: Stories told between two transactions.
STEP = 1_500
#: Runs of one story on average.
PER_STORY = 1.64
#: At most one in so many runs is a schedule's.
SCHEDULED = 12
#: From so many runs on there are some that are hard on a page.
SPECIAL = 100
#: Runs of each open state, at least and at most.
FEWEST, MOST_OPEN = 2, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to see."""

    runs: int
    days: float = 14.0
    seed: int = 7
    with_queued: int = 0
    with_executing: int = 0
    with_schedules: bool = False


class Demo:
    """Makes what was wished for; `make` may be stopped between any two of its steps."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        now = timezone.now()
        self.world = World(now - timedelta(days=wish.days), now, Random(wish.seed))
        self.teller = Storyteller(self.world)
        self.copies = connection.vendor == "postgresql" and wish.runs > FULL

    def make(self) -> Iterator[int]:
        """How many runs each step made."""
        with transaction.atomic():
            scenery.put_up(self.world, switched_on=self.wish.with_schedules)
        definitions.forget()
        self.schedules = scenery.schedules()
        made = 0
        for count in self._told():
            made += count
            yield count
        if self.copies:
            yield from self._copied(self.wish.runs - made)
        yield self._open()
        yield from rollups.count(self.world.start)
        while counting.count_failures():
            yield 0
        verdicts.decide()

    def _copied(self, runs: int) -> Iterator[int]:
        first = Copier(self.world)
        moments = list(self.world.moments(max(0, int(runs / first.average))))

        def copy(number: int, part: Iterator[datetime]) -> Iterator[int]:
            rng = Random(self.wish.seed + number + 1)
            yield from Copier(self.world.with_rng(rng)).make(part)

        yield from in_threads(copy, moments)

    def _told(self) -> Iterator[int]:
        stories = ((moment, None) for moment in self._moments())
        fires = list(self._fires())
        told = merge(stories, *fires, key=lambda one: one[0])
        half = self.world.now - (self.world.now - self.world.start) / 3
        detailed = self.wish.runs <= FULL or self.copies
        while some := list(islice(told, STEP)):
            for moment, schedule in some:
                self.teller.detailed = detailed or moment > half
                self._tell(moment, schedule)
            yield writing.write(self.teller.taken())

    def _moments(self) -> Iterator[datetime]:
        """When stories begin: of many, half are the newest and half are all over the time."""
        count = int(self.wish.runs / PER_STORY)
        if not self.copies:
            return self.world.moments(count)
        some = int(FULL / 2 / PER_STORY)
        last = World(self.world.now - timedelta(hours=8), self.world.now, self.world.rng)
        return iter(sorted([*self.world.moments(some), *last.moments(some)]))

    def _fires(self) -> Iterator[list[tuple[datetime, Schedule | None]]]:
        most = max(1, self.wish.runs // SCHEDULED // len(self.schedules))
        for schedule in self.schedules:
            yield [(at, schedule) for at in scenery.fires(schedule, self.world, most)]

    def _tell(self, moment: datetime, schedule: Schedule | None) -> None:
        """A story that is over by now: one that is not began earlier."""
        rows = self.teller.rows
        for _ in range(8):
            before = {model: len(facts) for model, facts in rows.items()}
            if schedule is None:
                self.teller.tell(moment)
            else:
                self._fire(schedule, moment)
            told = rows[Run][before.get(Run, 0) :]
            over = max((run["finished_at"] for run in told), default=moment)
            if over <= self.world.now:
                return
            for model, facts in rows.items():
                del facts[before.get(model, 0) :]
            if schedule is not None:
                return
            moment -= over - self.world.now + timedelta(seconds=self.world.rng.uniform(1, 90))

    def _fire(self, schedule: Schedule, at: datetime) -> None:
        rng, run_id = self.world.rng, None
        outcome = TickOutcome.FIRED
        if rng.random() < 0.05:
            outcome = rng.choice((TickOutcome.MISSED, TickOutcome.SKIPPED))
        else:
            created = at + timedelta(seconds=rng.uniform(0.02, 0.9))
            facts = {"schedule_id": schedule.pk, "source": "schedule"}
            run_id = self.teller.run(BY_ID[schedule.task_id], created, **facts)["id"]
        scenery.tick(self.teller.rows, schedule, at, run_id, outcome)

    def _open(self) -> int:
        """What has not ended, and what is hard on a page."""
        count = min(MOST_OPEN, max(FEWEST, self.wish.runs // 60))
        self.teller.detailed = True
        with transaction.atomic():
            openruns.tell_open(self.teller, count)
            openruns.tell_queued(self.teller, self.wish.with_queued)
            if self.wish.with_executing:
                openruns.tell_executing(self.teller, self.wish.with_executing)
            if self.wish.runs >= SPECIAL:
                openruns.tell_special(self.teller)
                self.teller.samples(self.world.now)
            return writing.write(self.teller.taken())
