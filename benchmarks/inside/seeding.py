"""Tasks, queues and backlogs, made the way a cluster and its callers make them."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import chain, islice

from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import TriggerItem, TriggerOptions, sessions, store
from runs.models import Queue, Source, Task, WorkerSession

CALL = 10_000
OPEN, KEYED = "bench-open", "bench-keyed"


def register(names: list[str]) -> None:
    """The rows a cluster writes when it starts, so that a backlog can stand before it does."""
    now = timezone.now()
    Queue.objects.get_or_create(name=OPEN)
    Queue.objects.get_or_create(name=KEYED, defaults={"concurrency_limit": 1})
    for name in names:
        queue = KEYED if name == "bench-keyed" else OPEN
        facts = {"queue": queue, "registered_at": now, "is_async": "async" in name}
        Task.objects.get_or_create(id=name, defaults=facts)


def noops(count: int, task: str = "bench-noop") -> int:
    """Queue `count` runs that do nothing."""
    return _trigger(TriggerItem(task_id=task) for _ in range(count))


def backlog(pairs: int, keys: int) -> int:
    """`pairs` runs over `keys` concurrency keys of a limit-1 queue, as many unlimited, in turn."""
    noop = TriggerItem(task_id="bench-noop")
    pairs_made = ((keyed(number % keys), noop) for number in range(pairs))
    return _trigger(chain.from_iterable(pairs_made))


def hold_every_key(keys: int) -> int:
    """Occupy each key's only slot with a run that another machine executes and will not end."""
    _trigger(keyed(number) for number in range(keys))
    session = sessions.open_session("elsewhere", slots=keys, version="bench", pid=1)
    engine = store.current()
    claims = engine.claim(session.pk, keys)
    started = [engine.start(claim.run_id, claim.token, 1) for claim in claims]
    WorkerSession.objects.filter(pk=session.pk).update(
        host="elsewhere", boot_id="elsewhere", expires_at=timezone.now() + timedelta(days=1)
    )
    return len([assignment for assignment in started if assignment])


def keyed(number: int) -> TriggerItem:
    """A run of the limited queue under its own concurrency key."""
    options = TriggerOptions(concurrency_key=f"key-{number}")
    return TriggerItem(task_id="bench-keyed", options=options)


def _trigger(items: Iterable[TriggerItem]) -> int:
    items = iter(items)
    count = 0
    while chunk := list(islice(items, CALL)):
        count += len(lifecycle.trigger_many(chunk, source=Source.SDK))
    return count
