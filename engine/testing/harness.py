"""`Trackside`: what the fixture of the same name gives to a test."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Literal, Self, TypeVar, Unpack, overload

from django.db import connection

from engine.registry import registry
from engine.sdk import values
from engine.sdk.blocking import blocking
from engine.sdk.handles import Handle
from engine.sdk.options import TriggerOptions
from engine.sdk.tasks import Task, tasks
from engine.sdk.tokens import Token
from engine.sdk.transactions import is_testcases
from engine.testing import schedules, timeline
from engine.testing.clock import Clock
from engine.testing.enrolment import Enrolment, LocalRuns
from engine.testing.isolation import discovered, isolated
from engine.testing.problems import TracksideError, refuse_loops
from engine.testing.records import Book, RecordedRun
from engine.testing.stubs import Stub
from engine.testing.worker import Worker
from runs import lifecycle
from runs.lifecycle import tokens
from runs.models import Run

P = TypeVar("P")
R = TypeVar("R")
Until = Literal["end", "wait"]
ANY = object()
#: Times the clock is moved to end one run.
MOST_JUMPS = 1000
ACTOR = "test"


class Trackside:
    """Executes tasks in the test's own process, with hooks, retries, waits and children as in production.

    Nothing executes by itself: `run` triggers a task and executes everything it leads to, moving the
    clock over waits and the pauses between attempts. What the tested code triggers is executed by
    `drain`, and seen by `runs` and `triggered` whether or not it was.

    Example:
        def test_a_reminder_is_sent_after_three_days(trackside):
            mail = trackside.stub(send_mail)
            run = trackside.run(onboard, {"email": "ada@example.com"})
            assert run.ok
            assert [wait.seconds for wait in run.waits] == [3 * 86400]
            assert mail.call_count == 2
    """

    def __init__(self, *, discover: bool = True) -> None:
        self.clock = Clock(self._execute_until)
        self._discover = discover
        self._book = Book()
        self._stubs: dict[str, Stub] = {}
        self._enrolment = Enrolment(self._stubs)
        self._worker: Worker | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._discover:
            discovered()
        local = LocalRuns(self._enrolment.meet)
        self._stack.enter_context(isolated(local, self.clock, self._sleep))
        self._stack.callback(self.clock.put_back)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- runs -------------------------------------------------------------------------------------

    @overload
    def run(
        self,
        task: Task[None, R],
        payload: None = None,
        *,
        until: Until = "end",
        **options: Unpack[TriggerOptions],
    ) -> RecordedRun[R]: ...
    @overload
    def run(
        self,
        task: Task[P, R],
        payload: P,
        *,
        until: Until = "end",
        **options: Unpack[TriggerOptions],
    ) -> RecordedRun[R]: ...
    @overload
    def run(
        self,
        task: str,
        payload: Any = None,
        *,
        until: Until = "end",
        **options: Unpack[TriggerOptions],
    ) -> RecordedRun[Any]: ...
    def run(self, task: Any, payload: Any = None, *, until: Any = "end", **options: Any) -> Any:
        """Trigger a task and execute it to its end, or with `until="wait"` to its first wait.

        On the way the clock jumps over delays, waits and the pauses between attempts.
        """
        refuse_loops()
        if until not in ("end", "wait"):
            raise TracksideError(f'until is "end" or "wait"; got {until!r}.')
        return self._on(self.trigger(task, payload, **options), until)

    def trigger(self, task: Any, payload: Any = None, **options: Any) -> RecordedRun[Any]:
        """Make a run and execute nothing yet."""
        if isinstance(task, Task):
            registry._tasks[task.id] = task  # the copy this test means, should there be two
            made: Handle[Any] = task.trigger(payload, **options)
        else:
            made = tasks.trigger(task, payload, **options)
        return self._record(made.id)

    def finish(self, run: RecordedRun[R]) -> RecordedRun[R]:
        """Execute a run to its end; the clock jumps as in `run`."""
        return self._on(run, "end")

    def drain(self) -> int:
        """Execute everything that is due now, without moving the clock. Returns how many segments."""
        refuse_loops()
        self._committed()
        self._enrolment.register()
        count = 0
        while True:
            timeline.promote()
            if not self.worker.work():
                return count
            count += 1
            self._committed()

    def runs(self, task: Task[Any, R] | str | None = None) -> list[RecordedRun[R]]:
        """Every run of this test, or those of one task, oldest first."""
        found = Run.objects.order_by("id")
        if task is not None:
            found = found.filter(task_id=task if isinstance(task, str) else task.id)
        return [self._record(run_id) for run_id in found.values_list("pk", flat=True)]

    def triggered(self, task: Task[Any, R] | str, payload: Any = ANY) -> RecordedRun[R]:
        """The one run of a task, with this payload where one is given; executed or not.

        Raises TracksideError when there is none or more than one, and says what there is.
        """
        found: list[RecordedRun[R]] = self.runs(task)
        wanted = None if payload is ANY else values.dumps(payload)
        fitting = [run for run in found if wanted in (None, values.dumps(run.payload))]
        if len(fitting) != 1:
            name = task if isinstance(task, str) else task.id
            asked = "" if wanted is None else f" with the payload {wanted}"
            there = [f"{run.payload!r}" for run in found] or ["none"]
            raise TracksideError(
                f"{len(fitting)} runs of {name}{asked} were triggered, not one. "
                f"Payloads of its runs: {', '.join(there)}."
            )
        return fitting[0]

    # -- the world outside ------------------------------------------------------------------------

    def complete(self, token: Token | RecordedRun[Any] | str, data: Any = None) -> None:
        """Complete a wait token, given itself, by its id or by the run that waits for it.

        Whatever waited for it is executed.
        """
        token_id = timeline.token_of(token)
        tokens.complete(token_id, None if data is None else values.dumps(data), by=ACTOR)
        self._settle()

    def cancel(self, run: RecordedRun[Any] | Handle[Any] | None = None) -> None:
        """Cancel a run as a person would; without one, the run whose body this is called in."""
        executing = self.worker.executing
        run_id = run.id if run is not None else executing.run_id if executing else ""
        if not run_id:
            raise TracksideError(
                "cancel() needs a run, or to be called while a body executes: patch a function that "
                "the body calls, and call trackside.cancel() there."
            )
        with blocking():  # an async body may call it
            lifecycle.cancel(run_id, actor=ACTOR)
        if executing is not None and executing.run_id == run_id:
            self.worker.tell("cancel")
        elif executing is None:
            self._settle()

    def time_out(self) -> None:
        """Called while a body executes: as if the `max_duration` of its run were over."""
        if self.worker.executing is None:
            raise TracksideError(
                "time_out() is called while a body executes: patch a function that the body calls, "
                "and call trackside.time_out() there."
            )
        self.worker.tell("timeout")

    def stub(
        self,
        task: Task[Any, Any] | str,
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | str | None = None,
        does: Callable[[Any], Any] | None = None,
    ) -> Stub:
        """Replace a task: its runs are made and end as told, without its body, hooks and retries.

        A task of another code base is given by its id.
        """
        made = Stub(task if isinstance(task, str) else task.id, returns, raises, does)
        self._enrolment.replace(made)
        return made

    # -- schedules --------------------------------------------------------------------------------

    def fires(
        self, task: Task[Any, Any] | str, count: int = 5, after: datetime | None = None
    ) -> list[datetime]:
        """When a task's declared schedule fires next; also for a cron expression (UTC)."""
        return schedules.fires(task, after or self.clock.now(), count)

    def fire(self, task: Task[Any, R], at: datetime | None = None, **facts: Any) -> RecordedRun[R]:
        """Run a task as its schedule does: with a payload for `at`, by default the next fire.

        `facts` are further fields of ScheduledPayload: `external_id`, `last_timestamp`, ...
        """
        payload = schedules.payload(task, at, self.clock.now(), facts)
        return self._on(self.trigger(task, payload), "end")

    def schedule(self, task: Task[Any, Any]) -> None:
        """Let a task's declared schedule count in this test: it fires as the clock advances."""
        self._enrolment.register()
        schedules.declare(task)

    # -- how --------------------------------------------------------------------------------------

    @property
    def worker(self) -> Worker:
        """Opened when it is first needed, with the test's database."""
        if self._worker is None:
            self._worker = Worker(self._book, self._stubs, self.clock)
        return self._worker

    def _record(self, run_id: str) -> RecordedRun[Any]:
        return RecordedRun(run_id, self._book)

    def _on(self, run: RecordedRun[R], until: Until) -> RecordedRun[R]:
        """Execute and jump until the run has ended, or waits where that is enough."""
        for _ in range(MOST_JUMPS):
            self.drain()
            if run.is_final or (until == "wait" and timeline.is_waiting(run)):
                return run
            self.clock.jump(timeline.next_jump(run))
        raise TracksideError(
            f"{run!r} is still open after the clock was moved {MOST_JUMPS} times, to "
            f"{self.clock.now():%Y-%m-%d %H:%M}. Does it wait in a loop? "
            'Take run(..., until="wait") and clock.advance().'
        )

    def _settle(self) -> None:
        """Execute what is due, and the attempts that follow a failure; waits and delays stay."""
        for _ in range(MOST_JUMPS):
            self.drain()
            retry = timeline.next_retry()
            if retry is None:
                return
            self.clock.jump(retry)

    def _execute_until(self, moment: datetime) -> None:
        self.drain()
        before: datetime | None = None
        while (due := timeline.next_due()) is not None and due != before:
            if due > moment + self.clock.lived:
                break
            self.clock.jump(due)
            self.drain()
            before = due
        self.clock.jump(moment)
        self.drain()

    def _sleep(self, seconds: float | None) -> None:
        """A pause of a body passes without being waited for."""
        if not self.worker.limit.pass_by(seconds):
            raise TracksideError("The body waits for its signal, which nothing in this test gives.")

    def _committed(self) -> None:
        """In a test's transaction nothing is ever committed: do what was to be done after that."""
        blocks = connection.atomic_blocks
        while connection.run_on_commit and blocks and is_testcases(blocks[-1]):
            waiting, connection.run_on_commit = connection.run_on_commit, []
            for one in waiting:
                one[1]()
