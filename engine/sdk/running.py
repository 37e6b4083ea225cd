"""`runs`: what code does to runs that are there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Unpack

from engine.runtime import installed
from engine.sdk.context import asking
from engine.sdk.handles import Handle, handle
from engine.sdk.options import CHECKS, Duration, TriggerOptions, checked, flag, text
from engine.sdk.queues import Queue
from engine.sdk.schedules import KEEP, Keep
from engine.sdk.tasks import Task
from engine.sdk.values import payload_text
from runs import durations
from runs.errors import InvalidOption

AnyRun = Handle[Any] | str
Names = str | Sequence[str]


class Runs:
    """Cancels, edits, replays and purges runs, by their id or the handle of their trigger.

    Example:
        runs.cancel(sent, reason="the order was withdrawn")
        runs.edit(sent, priority=60, delay="10m")
    """

    def cancel(self, run: AnyRun, *, reason: str = "", keep_children: bool = False) -> None:
        """Stop a run and what it triggered; one that has ended stays as it is. Raises NotFound."""
        keep = flag("keep_children", keep_children)
        installed().desk.cancel(_id(run), text("reason", reason), keep, asking())

    def edit(
        self,
        run: AnyRun,
        *,
        priority: float | Keep = KEEP,
        queue: str | Queue | Keep = KEEP,
        delay: Duration | datetime | Keep | None = KEEP,
        payload: Any = KEEP,
        reason: str = "",
    ) -> None:
        """Change a run that was never started; what is not given stays. A delay of None or 0 ends the delay.

        Raises NotFound, IllegalTransition once it has started, and what a trigger raises.
        """
        options = {"priority": priority, "queue": queue, "delay": delay}
        given = {name: value for name, value in options.items() if not isinstance(value, Keep)}
        changes: dict[str, Any] = dict(checked(given))
        if "delay" in given:
            changes.setdefault("delay", None)
        for name in given:
            if name not in changes:
                CHECKS[name](None)
        if not isinstance(payload, Keep):
            changes["payload"] = payload_text(payload)
        installed().desk.edit(_id(run), changes, text("reason", reason), asking())

    def reschedule(self, run: AnyRun, *, delay: Duration | datetime) -> None:
        """Let a run that was never started start then: `edit` with a delay alone."""
        self.edit(run, delay=delay)

    def replay(
        self, run: AnyRun, *, payload: Any = KEEP, **options: Unpack[TriggerOptions]
    ) -> Handle[Any]:
        """Make a new run from any run: its payload, tags, metadata, queue, key and machine again.

        The options of a trigger say what is to be different. An idempotency key is not taken over.
        """
        changes: dict[str, Any] = dict(checked(options))
        if not isinstance(payload, Keep):
            changes["payload"] = payload_text(payload)
        return handle(*installed().desk.replay(_id(run), changes, asking()))

    def purge(
        self,
        *,
        queue: Names | Queue = (),
        task: Names | Task[Any, Any] = (),
        tag: Names = (),
        concurrency_key: Names = (),
        status: Names = (),
        older_than: Duration | None = None,
        reason: str = "",
    ) -> int:
        """Cancel all runs that match and were never started. Returns how many.

        Several values of one filter mean any of them; one filter at least is needed. `status` is of
        "QUEUED", "DELAYED" and "PENDING_VERSION", `older_than` the time since their trigger.

        Example:
            runs.purge(queue="mail", older_than="1d", reason="nobody reads these any more")
        """
        chosen: dict[str, Any] = {
            "queue": [queue.name] if isinstance(queue, Queue) else _names("queue", queue),
            "task": [task.id] if isinstance(task, Task) else _names("task", task),
            "tag": _names("tag", tag),
            "key": _names("concurrency_key", concurrency_key),
            "status": [word.upper() for word in _names("status", status)],
        }
        if older_than is not None:
            chosen["older_than"] = durations.seconds(older_than, "older_than")
        return installed().desk.purge(chosen, text("reason", reason), asking())


def _id(run: object) -> str:
    if isinstance(run, Handle):
        return run.id
    if isinstance(run, str):
        return run
    raise InvalidOption("run", f"A run is its id or the handle of its trigger; got {run!r:.60}.")


def _names(name: str, value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, (list, tuple, set, frozenset)) and all(isinstance(n, str) for n in names):
        return sorted(names)
    raise InvalidOption(name, f"{name} is text or a list of texts; got {value!r:.60}.")


runs = Runs()
