"""Triggering runs and waiting for their end (features.md 9.1, 9.3)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Required, TypedDict, TypeVar, Unpack, overload

from engine.runtime import Launch, Launched, LaunchOptions
from engine.sdk.calls import Call
from engine.sdk.durable import here
from engine.sdk.items import several
from engine.sdk.options import TriggerOptions
from engine.sdk.replay import Replay
from engine.sdk.results import BatchResult, Result, run_result
from engine.sdk.values import payload_text
from runs.errors import InvalidOption, InvalidPayload
from runs.journal import Entry, Pause, Target, Unborn
from runs.states import EntryKind, EntryStatus, RunStatus

if TYPE_CHECKING:
    from engine.sdk.tasks import BatchItem

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
MAX_BATCH = 1000


class TaskItem(TypedDict, total=False):
    """One item of a batch over several tasks: a task or its id, payload and options."""

    task: Required[Any]
    payload: Any
    options: TriggerOptions


class AndWait(Generic[P, R]):
    """What a task can be asked from inside the body of another."""

    id: str

    def launch(self, payload: Any, options: Mapping[str, Any]) -> Launch:
        """The checked request that a trigger hands to the engine."""
        raise TypeError(f"{type(self).__name__} cannot be launched.")

    @overload
    def trigger_and_wait(
        self: "AndWait[None, R]", payload: None = None, **options: Unpack[TriggerOptions]
    ) -> Result[R]: ...
    @overload
    def trigger_and_wait(self, payload: P, **options: Unpack[TriggerOptions]) -> Result[R]: ...
    def trigger_and_wait(self, payload: Any = None, **options: Any) -> Result[R]:
        """Make a run of this task and wait for its end, without a process or a slot meanwhile.

        A run that fails does not raise: look at `.ok`, or `.unwrap()`.

        Example:
            thumbnail = resize.trigger_and_wait({"url": url, "width": 300}).unwrap()
        """
        replay = here(f"{self.id}.trigger_and_wait()")
        return one(replay, self.id, payload, lambda: self.launch(payload, options))

    def batch_trigger_and_wait(self, items: "Iterable[BatchItem[P]]") -> BatchResult[R]:
        """Make many runs of this task and wait until all of them ended; results in input order.

        Example:
            sizes = [{"payload": {"width": width}} for width in (100, 300, 900)]
            urls = resize.batch_trigger_and_wait(sizes).unwrap()
        """
        replay = here(f"{self.id}.batch_trigger_and_wait()")
        return many(replay, numbered(self.launch, items))


def one(replay: Replay, task_id: str, payload: Any, launch: Callable[[], Launch]) -> Result[Any]:
    """A run and its end; what the body repeats is not checked again."""
    known = replay.answered(EntryKind.CHILD, task_id, lambda: payload_text(payload) or "")
    if known is not None:
        return run_result(known.id, task_id, known)
    wanted = launch()
    call = child_call(replay, wanted)
    return placed(replay, [call], [wanted], None).ended(replay, lambda found: found[0])


def many(replay: Replay, launches: Sequence[Launch]) -> BatchResult[Any]:
    """Runs, all or none of them made, and their ends."""
    if len(launches) > MAX_BATCH:
        raise InvalidOption("items", f"A batch has at most {MAX_BATCH} items; got {len(launches)}.")
    batch_id = replay.batch_id()
    calls = [child_call(replay, launch) for launch in launches]
    children = placed(replay, calls, launches, batch_id)
    return children.ended(replay, lambda found: BatchResult(batch_id, found))


def child_call(replay: Replay, launch: Launch) -> Call:
    if "version" in launch.options:
        raise InvalidOption(
            "version", "A run that is waited for has the version of its parent: leave version out."
        )
    return replay.call(EntryKind.CHILD, launch.task_id, launch.payload or "")


@dataclass(frozen=True, slots=True)
class Children:
    """Calls and how their runs stand. The `unborn` are made when the run leaves, with `entries`."""

    calls: Sequence[Call]
    targets: Sequence[Target]
    unborn: Unborn | None = None
    entries: Sequence[Entry] = ()

    def ended(self, replay: Replay, then: Callable[[list[Result[Any]]], T]) -> T:
        """What `then` makes of the results when all have ended; until then the run waits."""

        def looked_at() -> T:
            found = replay.look([one.id for one in self.targets])
            return then(self._results([found[one.id] for one in self.targets]))

        left = [found for found in self.targets if found.is_open]
        if left:
            return replay.outlast(self._pause(left), looked_at)
        return then(self._results(self.targets))

    def _results(self, targets: Sequence[Target]) -> list[Result[Any]]:
        pairs = zip(self.calls, targets, strict=True)
        return [run_result(found.id, call.name, found) for call, found in pairs]

    def _pause(self, left: Sequence[Target]) -> Pause:
        attached = [entry for call in self.calls if call.entry for entry in call.attached()]
        return Pause(
            reason=why(left, [call.name for call in self.calls]),
            targets=tuple(dict.fromkeys(found.id for found in left)),
            entries=(*attached, *self.entries),
            unborn=self.unborn,
        )


def placed(
    replay: Replay, calls: Sequence[Call], launches: Sequence[Launch], batch_id: str | None
) -> Children:
    """The run of each call: the one it made before, or a new one; all of those in one transaction."""
    missing = [place for place, call in enumerate(calls) if call.entry is None]
    wanted = [awaited(launches[place], batch_id) for place in missing]

    def entries(made: Iterable[str]) -> list[Entry]:
        return [pending(calls[place], run) for place, run in zip(missing, made, strict=True)]

    unborn = replay.prepare(wanted) if missing else None
    if unborn is not None:
        new = [Launched(run_id) for run_id in unborn.ids]
    else:
        new = (
            replay.launch(wanted, lambda made: entries(run.run_id for run in made))
            if wanted
            else []
        )
    targets = looked(replay, calls, dict(zip(missing, new, strict=True)))
    return Children(calls, targets, unborn, entries(unborn.ids) if unborn else ())


def looked(replay: Replay, calls: Sequence[Call], new: Mapping[int, Launched]) -> list[Target]:
    """How the runs of these calls stand; the new ones are queued."""
    ids = [
        new[place].run_id if place in new else str(call.entry and call.entry.target)
        for place, call in enumerate(calls)
    ]
    fresh = {run.run_id for run in new.values() if not run.is_cached}
    known = replay.look(sorted(set(ids) - fresh))
    return [known.get(one, Target(one, RunStatus.QUEUED)) for one in ids]


def awaited(launch: Launch, batch_id: str | None) -> Launch:
    options: LaunchOptions = {**launch.options, "awaited": True}
    if batch_id is not None:
        options["batch_id"] = batch_id
    return replace(launch, options=options)


def pending(call: Call, target: str) -> Entry:
    return call.made(EntryStatus.PENDING, target=target)


def why(left: Sequence[Target], names: Sequence[str]) -> str:
    """What a run waits for, as a sentence for people."""
    if len(left) == 1:
        return f"Waits for run {left[0].id}."
    tasks = ", ".join(dict.fromkeys(names))
    return f"Waits for {len(left)} runs of {tasks:.200}."


def numbered(
    launch: Callable[[Any, Mapping[str, Any]], Launch], items: Iterable[Any]
) -> list[Launch]:
    """One launch for each item; an error names the item's position."""
    launches = []
    for index, item in enumerate(several(items)):
        options = (item.get("options") or {}) if isinstance(item, Mapping) else None
        if not isinstance(options, Mapping) or set(item) - {"payload", "options"}:
            raise InvalidOption(
                "items",
                f'Item {index} must be {{"payload": ..., "options": {{...}}}}; got {item!r:.60}.',
            )
        try:
            launches.append(launch(item.get("payload"), options))
        except (InvalidPayload, InvalidOption) as error:
            error.args = (f"Item {index}: {error}",)
            raise
    return launches


def mixed(
    launch_by_id: Callable[[str, Any, Mapping[str, Any]], Launch], items: Iterable[Any]
) -> list[Launch]:
    """One launch for each item of a batch over several tasks."""
    tasks, bare = [], []
    for index, item in enumerate(several(items)):
        task = item.get("task") if isinstance(item, Mapping) else None
        if not isinstance(task, (str, AndWait)):
            raise InvalidOption(
                "items",
                f'Item {index} must be {{"task": a task or its id, "payload": ...}}; got {item!r:.60}.',
            )
        tasks.append(task if isinstance(task, str) else task.id)
        bare.append({name: value for name, value in item.items() if name != "task"})
    ids = iter(tasks)
    return numbered(lambda payload, options: launch_by_id(next(ids), payload, options), bare)
