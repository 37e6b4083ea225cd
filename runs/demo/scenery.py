"""What stands around the shop's runs: tasks, queues, clusters, schedules and their fires."""

import json
from datetime import datetime, timedelta
from typing import Any

from runs.cron import parse
from runs.demo import documents
from runs.demo.cast import IDS, PARTS, PAUSED, PREFIX, QUEUE_NAMES, QUEUES, Part
from runs.demo.telling import Rows
from runs.demo.world import HOSTS, World
from runs.ids import new_id
from runs.models import (
    AuditLog,
    Bucket,
    CodeVersion,
    Queue,
    QueueKind,
    Schedule,
    ScheduleTick,
    SessionState,
    Task,
    TickOutcome,
    WorkerSession,
)

#: Who made it, wherever somebody is named; clusters are of this name too.
MARK = "demo"
TIMETABLES = (
    ("shop/nightly-sales", "15 2 * * *", "Europe/Zurich", "skip"),
    ("shop/clean-sessions", "0 * * * *", "UTC", "skip"),
    ("shop/import-feed", "30 5 * * 1-5", "Europe/Berlin", "queue_one"),
)
DEEDS = (
    ("queue.pause", PAUSED, "the supplier's server is being moved"),
    ("queue.override", "shop-images", "the image server is slow today"),
    ("queue.reset", "shop-images", ""),
    ("queue.resume", "shop-mail", ""),
)


def names_taken() -> list[str]:
    """Tasks that are called like the shop's and are not its."""
    others = Task.objects.filter(pk__in=IDS).exclude(file_path__endswith="shop.py")
    return [row.pk for row in others if json.loads(row.config).get("made_by") != MARK]


def put_up(world: World, *, switched_on: bool) -> None:
    """Everything but the runs. What is there already stays as it is."""
    for name in QUEUE_NAMES:
        _queue(name, world.now)
    for part in PARTS:
        _task(part, world)
    _clusters(world)
    for task_id, cron, zone, overlap in TIMETABLES:
        _schedule(task_id, cron, zone, overlap, world.now if switched_on else None)
    for number, (action, target, reason) in enumerate(DEEDS):
        who = f"{MARK}:{('ada', 'grace')[number % 2]}"
        AuditLog.objects.create(actor=who, action=action, target=target, reason=reason)


def _queue(name: str, now: datetime) -> None:
    limits = QUEUES.get(name, {})
    kind = QueueKind.CUSTOM if limits else QueueKind.TASK
    queue, made = Queue.objects.get_or_create(name=name, defaults={"kind": kind, **limits})
    if made:
        queue.settle_rate()
        if name == PAUSED:
            queue.paused, queue.paused_at = True, now - timedelta(minutes=40)
            queue.paused_by, queue.paused_reason = f"{MARK}:ada", DEEDS[0][2]
        queue.save()


def _task(part: Part, world: World) -> None:
    config: dict[str, Any] = {"made_by": MARK, "retry": {"max_attempts": part.tries}}
    config["key_facts"] = ["payload.order_id", "payload.customer"]  # where there are such
    if part.is_keyed:
        config["computed_key"] = True
    Task.objects.get_or_create(
        id=part.id,
        defaults={
            "description": f"{part.about} (Made up by the demo command.)",
            "file_path": part.file,
            "schema": json.dumps(documents.SCHEMA) if part.id == f"{PREFIX}fulfil-order" else "",
            "config": json.dumps(config),
            "queue": part.queue_name,
            "max_attempts": part.tries,
            "max_duration": part.max_duration,
            "ttl": part.ttl,
            "machine": part.machine,
            "tags": json.dumps(sorted(part.tags)),
            "is_async": part.is_async,
            "version": world.versions[-1],
            "registered_at": world.releases[-1],
        },
    )


def _version(name: str, number: int, began: datetime, stopped: datetime) -> None:
    """The first had a task less, and every other one another schema."""
    had = dict.fromkeys(IDS if number else list(IDS)[:-1], "")
    had[f"{PREFIX}fulfil-order"] = f"{number // 2:012x}"
    seen = {"first_at": began, "last_at": stopped, "tasks": json.dumps(had, sort_keys=True)}
    CodeVersion.objects.get_or_create(pk=name, defaults=seen)


def _clusters(world: World) -> None:
    """Those that once ran each version; all of them have stopped, one without saying so."""
    for number, version in enumerate(world.versions):
        began = world.releases[number]
        later = world.releases[number + 1 :]
        stopped = later[0] if later else world.now - timedelta(seconds=30)
        _version(version, number, began, stopped)
        for index, host in enumerate(HOSTS):
            is_lost = number % 4 == 2 and index == 1
            WorkerSession.objects.create(
                id=world.sessions[version][index],
                cluster=MARK, host=host, boot_id=MARK, pid=2100 + index, slots=4,
                state=SessionState.DEAD if is_lost else SessionState.GONE,
                version=version, version_at=began, started_at=began, heartbeat_at=stopped,
                tasks=json.dumps(list(IDS)), expires_at=stopped + timedelta(seconds=60),
                stopped_at=None if is_lost else stopped,
            )  # fmt: skip


def _schedule(task_id: str, cron: str, zone: str, overlap: str, since: datetime | None) -> None:
    """Switched off, unless its fires are wanted from a moment on."""
    due = parse(cron, zone).next(since) if since else None
    Schedule.objects.get_or_create(
        deduplication_key=f"{MARK} {task_id}",
        defaults={
            "id": new_id("sched"), "task_id": task_id, "cron": cron, "timezone": zone,
            "overlap": overlap, "active": since is not None, "next_at": due, "created_by": MARK,
        },
    )  # fmt: skip


def schedules() -> list[Schedule]:
    return list(Schedule.objects.filter(created_by=MARK).order_by("pk"))


def fires(schedule: Schedule, world: World, most: int) -> list[datetime]:
    """The last fires of a schedule that nothing is known of, the oldest first."""
    known = set(ScheduleTick.objects.filter(schedule=schedule).values_list("at", flat=True))
    return [at for at in schedule.clock.latest(world.start, world.now, most) if at not in known]


def tick(
    rows: Rows, schedule: Schedule, at: datetime, run_id: str | None, outcome: TickOutcome
) -> None:
    """What became of a fire."""
    reasons = {
        TickOutcome.MISSED: "No cluster was running.",
        TickOutcome.SKIPPED: "A run of it was still open.",
    }
    rows[ScheduleTick].append(
        {"schedule_id": schedule.pk, "at": at, "until": at, "outcome": outcome, "run_id": run_id,
         "reason": reasons.get(outcome, ""), "recorded_at": at}
    )  # fmt: skip


def bucket_of(queue: str, key: str | None, key_hash: str) -> Bucket:
    """Where runs of the queue with this key stand."""
    row = Queue.objects.get(name=queue)
    facts = {"concurrency_key": key}
    return Bucket.objects.get_or_create(queue=row, key_hash=key_hash, defaults=facts)[0]
