"""What a run is worth comparing with."""

from dataclasses import dataclass

from runs.models import Attempt, Run
from runs.reads import breaks
from runs.states import UNSUCCESSFUL


@dataclass(frozen=True, slots=True)
class Place:
    """A run, or one of its attempts; 0 is the whole run."""

    run_id: str
    attempt: int = 0

    @classmethod
    def parse(cls, text: str) -> "Place":
        """`run_…` or `run_…:2`; a number that is none is the whole run."""
        run_id, _, attempt = text.strip().partition(":")
        is_number = attempt.isascii() and attempt.isdecimal()
        return cls(run_id.strip()[:40], int(attempt[:6]) if is_number else 0)

    def __str__(self) -> str:
        return f"{self.run_id}:{self.attempt}" if self.attempt else self.run_id


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a` is the older or better one, `b` the one in question; `words` say which."""

    words: str
    a: Place
    b: Place


def of(run: Run) -> list[Comparison]:
    """What suits a run, the most telling first; five bounded statements."""
    this = Place(run.pk)
    found = _attempts(run)
    if run.replayed_from_id:
        found.append(Comparison("Its original", Place(run.replayed_from_id), this))
    replay = Run.objects.filter(replayed_from_id=run.pk).order_by("-id").only("id").first()
    if replay is not None:
        found.append(Comparison("Its newest replay", this, Place(replay.pk)))
    before = Run.objects.filter(task_id=run.task_id, pk__lt=run.pk)
    if run.status in UNSUCCESSFUL and (good := breaks.newest_success(before)):
        found.append(Comparison("The last success of the task", Place(good.pk), this))
    previous = before.order_by("-id").only("id").first()
    if previous is not None:
        found.append(Comparison("The run of the task before it", Place(previous.pk), this))
    return found


def _attempts(run: Run) -> list[Comparison]:
    """The last two attempts that ended."""
    ended = Attempt.objects.filter(run_id=run.pk).order_by("-number")
    numbers = list(ended.values_list("number", flat=True)[:2])
    if len(numbers) < 2:
        return []
    last, before = numbers
    words = f"Attempt {last} with attempt {before}"
    return [Comparison(words, Place(run.pk, before), Place(run.pk, last))]
