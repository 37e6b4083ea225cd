"""Runs in every situation in which two may want to change them, and everything that may change them there.

A scene has one run that matters (`it`); what else is there has a name too, so that outcomes of
different scenes can be compared.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from runs import lifecycle
from runs.errors import RunsError
from runs.ids import new_id
from runs.journal import Entry, Pause
from runs.lifecycle import (
    TriggerOptions,
    annotating,
    attempts,
    batchstream,
    definitions,
    keys,
    mending,
    retention,
    schedules,
    sessions,
    store,
    tokens,
    trigger,
    waiting,
)
from runs.lifecycle.batchstream import Asked, Offered
from runs.lifecycle.editing import Edit
from runs.lifecycle.options import TriggerItem
from runs.lifecycle.schedules import Timetable
from runs.lifecycle.store import Done, Next
from runs.models import Bucket, Ready, Run, Schedule, Source, Task, WorkerSession
from runs.states import EntryKind, EntryStatus
from tests.support import factories
from tests.support.factories import ERROR, Held

WHO = "user:ada"
PAST = timedelta(minutes=-1)


@dataclass
class Scene:
    """Who and what is there."""

    #: Executes `it`, and has not been heard of for longer than its lease.
    by: WorkerSession
    #: Another cluster, alive.
    other: WorkerSession
    #: Comes afterwards and does what is left.
    third: WorkerSession
    names: dict[str, str] = field(default_factory=dict)
    it: Held = None
    child: Held = None
    token: str = ""
    batch: str = ""
    schedule: str = ""

    def named(self, run_id: str | None) -> str:
        return self.names.setdefault(run_id, f"new {len(self.names)}") if run_id else ""

    def wakes(self, **facts: Any) -> Pause:
        return Pause(reason="Waits.", **facts)


Verb = Callable[[Scene], Any]
SCENES: dict[str, Callable[[Scene], None]] = {}
VERBS: dict[str, dict[str, Verb]] = {}


def scene(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
    name = make.__name__
    SCENES[name] = make
    VERBS.setdefault(name, {})
    return make


def verb(*names: str) -> Callable[[Verb], Verb]:
    """It may happen in these scenes."""

    def put(act: Verb) -> Verb:
        for name in names:
            VERBS.setdefault(name, {})[act.__name__] = lambda it: told(lambda: act(it))
        return act

    return put


class Stage:
    """Makes scenes: what all of them share is made once."""

    def __init__(self) -> None:
        factories.queue("mail", limit=1)
        factories.queue("post")
        factories.task(
            "send", queue="mail", config='{"retry": {"min_timeout": 0, "max_timeout": 0}}'
        )
        factories.task("help")
        self.session = factories.session(slots=8)

    def set(self, name: str = "") -> Scene:
        """A scene, or an empty one."""
        by, other, third = self._clone(), self._clone(), self._clone()
        by.expires_at = timezone.now() + PAST
        WorkerSession.objects.bulk_create([by, other, third])
        made = Scene(by, other, third)
        if name:
            SCENES[name](made)
        return made

    def _clone(self) -> WorkerSession:
        made = copy(self.session)
        made.pk = new_id("worker")
        made.expires_at = timezone.now() + timedelta(hours=1)
        return made


def new(it: Scene, name: str, task_id: str = "send", **options: Any) -> str:
    made = trigger(task_id, None, TriggerOptions(**options), source=Source.SDK)
    it.names[made.run_id] = name
    return made.run_id


def held(run_id: str) -> Held:
    """Nobody has it yet."""
    return Held(run_id, "", 0, "")


def took(it: Scene, run_id: str, by: WorkerSession) -> Held:
    (one,) = factories.claim(by)
    assert one.run_id == run_id
    return one


# The scenes


@scene
def queued(it: Scene) -> None:
    it.it = held(new(it, "it", max_attempts=9))
    new(it, "behind")


@scene
def lapsed(it: Scene) -> None:
    it.it = held(new(it, "it", ttl=0.000001, idempotency_key="k"))


@scene
def delayed(it: Scene) -> None:
    it.it = held(new(it, "it", delay=0.000001))
    Run.objects.filter(pk=it.it.run_id).update(delay_until=timezone.now() + PAST)


@scene
def parked(it: Scene) -> None:
    Task.objects.filter(pk="late").delete()
    Bucket.objects.filter(queue__name="task/late").delete()
    definitions.forget()
    it.it = held(new(it, "it", "late"))
    factories.task("late")


@scene
def dequeued(it: Scene) -> None:
    it.it = took(it, new(it, "it", max_attempts=9), it.by)
    new(it, "behind")


@scene
def executing(it: Scene) -> None:
    dequeued(it)
    it.token = tokens.create(timeout=0.000001)[0].pk
    assert factories.start(it.it)


@scene
def canceling(it: Scene) -> None:
    executing(it)
    lifecycle.cancel(it.it.run_id, actor=WHO)


@scene
def retrying(it: Scene) -> None:
    executing(it)
    factories.finish(attempts.retry(*it.it.lease, ERROR, 0.000001))


@scene
def waiting_for_token(it: Scene) -> None:
    executing(it)
    assert store.current().suspend(*it.it.lease, it.wakes(targets=(it.token,))).outcome == "waiting"


@scene
def waiting_for_time(it: Scene) -> None:
    executing(it)
    soon = timezone.now() + timedelta(hours=1)
    entry = step("nap")._replace(kind=EntryKind.WAIT, status=EntryStatus.PENDING, due_at=soon)
    pause = it.wakes(due=soon, entries=(entry,))
    assert store.current().suspend(*it.it.lease, pause).outcome == "waiting"
    Ready.objects.filter(pk=it.it.run_id).update(not_before=timezone.now() + PAST)


@scene
def meeting(it: Scene) -> None:
    """It executes, and so does its child: it is about to wait."""
    executing(it)
    run_id = new(it, "child", "help", parent_id=it.it.run_id, awaited=True, max_attempts=1)
    it.child = took(it, run_id, it.other)
    assert factories.start(it.child)


@scene
def waiting_for_child(it: Scene) -> None:
    meeting(it)
    pause = it.wakes(targets=(it.child.run_id,))
    assert store.current().suspend(*it.it.lease, pause).outcome == "waiting"


@scene
def leaving_soon(it: Scene) -> None:
    """Somebody has canceled it, and did not take it back in time; it waits for its child."""
    waiting_for_child(it)
    lifecycle.cancel_soon(it.it.run_id, actor=WHO, seconds=-1)


@scene
def on_hold(it: Scene) -> None:
    """The same, of one that has not begun."""
    queued(it)
    lifecycle.cancel_soon(it.it.run_id, actor=WHO, seconds=-1)


@scene
def keyed(it: Scene) -> None:
    """It has a key, and another is about to ask for the same."""
    run_id = new(it, "it", idempotency_key="k", max_attempts=1)
    it.it = took(it, run_id, it.by)
    assert factories.start(it.it)


@scene
def ended(it: Scene) -> None:
    executing(it)
    factories.complete(it.it)


@scene
def scheduled(it: Scene) -> None:
    """A fire is due; the next one is a year away."""
    now = timezone.now()
    cron = f"{now.minute} {now.hour} {now.day} {now.month} *"
    made = schedules.create(Timetable(task_id="help", cron=cron), actor=WHO)
    Schedule.objects.filter(pk=made.pk).update(next_at=now.replace(second=0, microsecond=0))
    it.schedule = made.pk


@scene
def batched(it: Scene) -> None:
    batch, _ = batchstream.open_batch(Asked(count=2), source=Source.API)
    it.batch = batch.pk
    batchstream.add(it.batch, [item(0)], source=Source.API)


def item(index: int) -> Offered:
    return Offered(index, "help", TriggerItem(task_id="help"))


def step(name: str) -> Entry:
    return Entry(
        kind=EntryKind.STEP, name=name, position=1, started_at=timezone.now(),
        status=EntryStatus.DONE, result="1", attempt=1, ordinal=1,
    )  # fmt: skip


# What may happen

EARLY = ("queued", "lapsed", "delayed", "parked")
AT_WORK = ("executing", "canceling", "meeting")
ASLEEP = ("waiting_for_token", "waiting_for_time", "waiting_for_child")


@verb("queued", "lapsed", "dequeued", "executing", "retrying", "waiting_for_token", "on_hold")
def claim(it: Scene) -> Any:
    return [it.named(one.run_id) for one in store.current().claim(it.other.pk, 1)]


@verb("queued")
def claim_started(it: Scene) -> Any:
    return [it.named(one.run_id) for one in store.current().claim_started(it.other.pk, 1, 7)]


@verb(*EARLY, "dequeued", *AT_WORK, "retrying", *ASLEEP, "ended", "on_hold", "leaving_soon")
def cancel(it: Scene) -> Any:
    lifecycle.cancel(it.it.run_id, actor=WHO)


@verb("queued", "executing", "waiting_for_child")
def cancel_soon(it: Scene) -> Any:
    return bool(lifecycle.cancel_soon(it.it.run_id, actor=WHO, seconds=-1))


@verb("on_hold", "leaving_soon")
def cancel_due(it: Scene) -> Any:
    return lifecycle.cancel_due()


@verb("on_hold", "leaving_soon")
def withdraw(it: Scene) -> Any:
    return lifecycle.withdraw_cancel(it.it.run_id, actor=WHO)


@verb("waiting_for_child", "meeting")
def cancel_child(it: Scene) -> Any:
    lifecycle.cancel(it.child.run_id, actor=WHO)


@verb(*EARLY)
def edit(it: Scene) -> Any:
    lifecycle.edit(it.it.run_id, Edit(queue="post", priority=3), actor=WHO)


@verb("queued", "delayed")
def put_off(it: Scene) -> Any:
    lifecycle.edit(it.it.run_id, Edit(delay=0.000001), actor=WHO)


@verb(*EARLY)
def purge(it: Scene) -> Any:
    return lifecycle.purge(Run.objects.filter(pk=it.it.run_id), actor=WHO)


@verb("queued", "executing", "waiting_for_token", "ended")
def replay(it: Scene) -> Any:
    it.named(lifecycle.replay(it.it.run_id, actor=WHO).run_id)


@verb("queued", "dequeued", "executing")
def pause(it: Scene) -> Any:
    lifecycle.pause("mail", actor=WHO)


@verb("queued", "executing")
def forbid(it: Scene) -> Any:
    lifecycle.override_limit("mail", 0, actor=WHO)


@verb("executing", "ended")
def annotate(it: Scene) -> Any:
    return annotating.add_tags(it.it.run_id, ["seen"])


@verb("lapsed", "queued")
def expire(it: Scene) -> Any:
    return lifecycle.expire_due()


@verb("delayed", "retrying", "waiting_for_time")
def promote(it: Scene) -> Any:
    lifecycle.promote_due()


@verb("parked")
def unpark(it: Scene) -> Any:
    return lifecycle.unpark(["late"], "1")


@verb("dequeued")
def start(it: Scene) -> Any:
    return bool(factories.start(it.it))


@verb("dequeued", *AT_WORK)
def hand_back(it: Scene) -> Any:
    """Its cluster stops."""
    sessions.close(it.by.pk)


@verb("dequeued", *AT_WORK, "keyed")
def reap(it: Scene) -> Any:
    return sessions.reap()


@verb("executing", "dequeued")
def renew(it: Scene) -> Any:
    return sessions.renew(it.by.pk)


def ends(it: Scene, one: Held, ending: store.Ending) -> Any:
    finished = store.current().finish(ending, Next.SAME, 7)
    return finished.won, it.named(finished.next and finished.next.run_id)


@verb(*AT_WORK, "keyed")
def complete(it: Scene) -> Any:
    return ends(it, it.it, attempts.complete(*it.it.lease, "1"))


@verb("executing")
def turn(it: Scene) -> Any:
    made = store.current().turn([Done(*it.it.lease, "1", 0, 1)], Next.SAME, 2, 1)
    return [it.named(one.run_id) for one in made.works], [it.named(one) for one in made.lost]


@verb("executing", "canceling", "keyed")
def fail(it: Scene) -> Any:
    return ends(it, it.it, attempts.fail(*it.it.lease, ERROR))


@verb("executing", "canceling")
def try_again(it: Scene) -> Any:
    return ends(it, it.it, attempts.retry(*it.it.lease, ERROR, 0.0))


@verb("executing", "canceling")
def crash(it: Scene) -> Any:
    """Its process died, as the supervisor saw."""
    return ends(
        it, it.it, attempts.crash(*it.it.lease, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", "x")
    )


@verb("executing", "canceling")
def time_out(it: Scene) -> Any:
    return ends(it, it.it, attempts.time_out(*it.it.lease, ERROR))


@verb("canceling")
def acknowledge(it: Scene) -> Any:
    return ends(it, it.it, attempts.acknowledge_cancel(*it.it.lease))


def leaves(it: Scene, pause: Pause) -> Any:
    made = store.current().suspend(*it.it.lease, pause, Next.SAME, 7)
    return made.outcome, it.named(made.next and made.next.run_id)


@verb(*AT_WORK)
def wait_for_token(it: Scene) -> Any:
    return leaves(it, it.wakes(targets=(it.token,)))


@verb("meeting")
def wait_for_child(it: Scene) -> Any:
    return leaves(it, it.wakes(targets=(it.child.run_id,)))


@verb("meeting")
def wait_for_first(it: Scene) -> Any:
    return leaves(it, it.wakes(targets=(it.child.run_id, it.token), one_suffices=True))


@verb("executing")
def wait_for_time(it: Scene) -> Any:
    return leaves(it, it.wakes(due=timezone.now() + timedelta(hours=1)))


@verb("executing")
def record(it: Scene) -> Any:
    return store.current().record(*it.it.lease, [step("load")])


@verb("waiting_for_token", "meeting")
def complete_token(it: Scene) -> Any:
    return tokens.complete(it.token, "1", by=WHO).status


@verb("waiting_for_token", "meeting")
def time_out_token(it: Scene) -> Any:
    return lifecycle.time_out_due()


@verb(*ASLEEP)
def mend(it: Scene) -> Any:
    return len(mending.mend_waiting().run_ids)


@verb("waiting_for_time")
def skip(it: Scene) -> Any:
    waiting.skip(it.it.run_id, actor=WHO)


@verb("waiting_for_child", "meeting", "leaving_soon")
def child_completes(it: Scene) -> Any:
    return ends(it, it.child, attempts.complete(*it.child.lease, "1"))


@verb("waiting_for_child")
def child_fails(it: Scene) -> Any:
    return ends(it, it.child, attempts.fail(*it.child.lease, ERROR))


@verb("waiting_for_child")
def child_is_lost(it: Scene) -> Any:
    WorkerSession.objects.filter(pk=it.other.pk).update(expires_at=timezone.now() + PAST)
    return sessions.reap()


@verb("keyed")
def trigger_twin(it: Scene) -> Any:
    options = TriggerOptions(idempotency_key="k")
    return it.named(trigger("send", None, options, source=Source.SDK).run_id)


@verb("keyed")
def reset_key(it: Scene) -> Any:
    return keys.reset("send", "k", actor=WHO)


@verb("ended")
def prune(it: Scene) -> Any:
    later = timezone.now() + timedelta(days=1)
    return lifecycle.prune_runs(later, "", retention.looked_at()).gone


@verb("scheduled")
def fire(it: Scene) -> Any:
    lifecycle.fire_due()


@verb("scheduled")
def change_schedule(it: Scene) -> Any:
    schedules.update(it.schedule, Timetable(task_id="help", cron="5 4 29 2 *"), actor=WHO)


@verb("scheduled")
def switch_off(it: Scene) -> Any:
    schedules.deactivate(it.schedule, actor=WHO)


@verb("scheduled")
def delete_schedule(it: Scene) -> Any:
    schedules.delete(it.schedule, actor=WHO)


@verb("batched")
def last_item(it: Scene) -> Any:
    made = batchstream.add(it.batch, [item(1)], source=Source.API)
    return made.accepted, made.is_sealed


@verb("batched")
def same_item(it: Scene) -> Any:
    made = batchstream.add(it.batch, [item(0), item(1)], source=Source.API)
    return made.accepted, made.is_sealed


def told(act: Callable[[], Any]) -> Any:
    """What it answers; a refusal is an answer too."""
    try:
        return act()
    except RunsError as error:
        return type(error).__name__
