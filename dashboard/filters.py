"""One grammar of filters for the runs list and the API: a value that becomes a queryset."""

from dataclasses import dataclass
from datetime import datetime

from runs.models import Run, RunTag
from runs.models.run import RunQuerySet
from runs.reads.windows import floor_id


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
    schedule: str = ""
    batch: str = ""
    machine: str = ""
    version: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def runs(self) -> RunQuerySet:
        """The runs that match, in no order."""
        runs = Run.objects.all()
        for column, values in self._columns().items():
            runs = runs.filter(
                **{column: values[0]} if len(values) == 1 else {f"{column}__in": values}
            )
        if self.test is not None:
            runs = runs.filter(is_test=self.test)
        return self._by_tag(self._by_id(self._window(runs)))

    def _columns(self) -> dict[str, tuple[str, ...]]:
        columns = {
            "status": self.status,
            "task_id": self.task,
            "queue": self.queue,
            "parent_id": (self.parent,) if self.parent else (),
            "replayed_from_id": (self.replayed_from,) if self.replayed_from else (),
            "schedule_id": (self.schedule,) if self.schedule else (),
            "batch_id": (self.batch,) if self.batch else (),
            "machine": (self.machine,) if self.machine else (),
            "version": (self.version,) if self.version else (),
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
