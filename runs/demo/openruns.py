"""Runs of the shop that have not ended, in the states that are right where nobody executes anything."""

from datetime import timedelta

from runs.demo import documents
from runs.demo.cast import BY_ID, PAUSED, Part
from runs.demo.scenery import MARK, bucket_of
from runs.demo.stories import Storyteller
from runs.demo.telling import Facts, seconds
from runs.lifecycle.keys import hashed
from runs.models import NEVER, Lease, Ready, SessionState, Span, Waiter, WorkerSession
from runs.states import RunStatus

S = RunStatus
FAR = timedelta(days=1)
#: How long clusters that only look alive do so.
LOOKS_ALIVE = timedelta(hours=12)


def tell_open(teller: Storyteller, count: int) -> None:
    """`count` runs of each kind: queued in a paused queue, delayed, waiting, without a version."""
    now, rng = teller.world.now, teller.rng
    for number in range(count):
        ago = timedelta(minutes=1 + 4 * number, seconds=rng.randrange(60))
        run = teller.begin(BY_ID["shop/import-feed"], now - ago)
        _stand(run, teller)
        part = rng.choice([BY_ID["shop/send-receipt"], BY_ID["shop/sync-customer"]])
        due = now + FAR + timedelta(hours=rng.randrange(60))
        run = teller.begin(part, now - ago, status=S.DELAYED, queued_at=None, delay_until=due)
        run["sort_key"] = int(due.timestamp() * 1_000_000)
        _stand(run, teller)
        _wait_for_token(teller, ago * 3)
        if number % 3 == 0:
            reason = "No cluster has registered this task yet."
            parked = {"status": S.PENDING_VERSION, "queued_at": None, "reason": reason}
            teller.begin(BY_ID["shop/translate-review"], now - ago, **parked)


def tell_queued(teller: Storyteller, count: int) -> None:
    """Runs that a worker whose code has the task would start."""
    rng = teller.rng
    for _ in range(count):
        part = BY_ID[rng.choice(("shop/charge-card", "shop/send-receipt", "shop/resize-image"))]
        ago = timedelta(seconds=rng.expovariate(1 / 90))
        _stand(teller.begin(part, teller.world.now - ago), teller)


def tell_executing(teller: Storyteller, count: int) -> None:
    """Runs that look as if they executed, and clusters that look as if they lived."""
    world, now = teller.world, teller.world.now
    version = world.versions[-1]
    until = now + LOOKS_ALIVE
    WorkerSession.objects.filter(pk__in=world.sessions[version]).update(
        state=SessionState.ALIVE, heartbeat_at=now, expires_at=until, stopped_at=None
    )
    for _ in range(count):
        part = BY_ID[teller.rng.choice(("shop/import-feed", "shop/translate-review"))]
        began = now - timedelta(seconds=teller.rng.expovariate(1 / 40) + 1)
        run = teller.begin(part, began, queue="shop-images")
        teller.start(run, began + seconds(0.2))
        teller.log(run, began + seconds(0.3), "start")
        noted = documents.metadata(part, teller.rng, done=False)
        run["metadata"] = documents.text(noted) if noted else None
        run["expires_at"] = None
        _hold(run, teller)


def _stand(run: Facts, teller: Storyteller) -> None:
    """The run has a place in its queue."""
    bucket = bucket_of(run["queue"], run["concurrency_key"], hashed(run["concurrency_key"]))
    teller.rows[Ready].append(
        {"run_id": run["id"], "bucket_id": bucket.pk, "sort_key": run["sort_key"],
         "not_before": run.get("delay_until"), "lane": run["lane"], "pin": ""}
    )  # fmt: skip


def _hold(run: Facts, teller: Storyteller) -> None:
    """The run has a slot."""
    bucket = bucket_of(run["queue"], run["concurrency_key"], hashed(run["concurrency_key"]))
    teller.rows[Lease].append(
        {"run_id": run["id"], "bucket_id": bucket.pk, "queue_id": bucket.queue_id,
         "session_id": run["session"], "attempt": 1, "token": MARK, "pid": 3120,
         "claimed_at": run["created_at"], "started_at": run["started_at"]}
    )  # fmt: skip


def _wait_for_token(teller: Storyteller, ago: timedelta) -> None:
    run, _ = teller.token_asked(BY_ID["shop/refund"], teller.world.now - ago)
    run["reason"] = f"Waits for {run['token']}."
    bucket = bucket_of(run["queue"], None, "")
    teller.rows[Ready].append(
        {"run_id": run["id"], "bucket_id": bucket.pk, "sort_key": run["sort_key"],
         "not_before": NEVER, "lane": run["lane"], "pin": "", "untaken": True}
    )  # fmt: skip
    teller.rows[Waiter].append({"target": run["token"], "run_id": run["id"]})


def tell_special(teller: Storyteller) -> None:
    """One of each kind that is hard on a page: large, long, deep, strange."""
    part, now = BY_ID["shop/import-feed"], teller.world.now
    large = documents.large(teller.rng)
    _ended(teller, part, now - timedelta(minutes=8), payload=large)
    strange = {
        "": None, " spaced ": [[], {}, [[[["deep"]]]]], "null": "null", "rtl": "שלום \u202eolleh",
        "number": 1234567890.12345678901234567890, "digits": 10**60, "html": "<script>alert(1)</script>",
        "emoji": "👩🏽‍🚀" * 20, "long": "word " * 400, "same": [{"a": 1}, {"a": 1}], "zero": [0, -0.0, False],
    }  # fmt: skip
    _ended(teller, BY_ID["shop/translate-review"], now - timedelta(minutes=9), payload=strange)
    run = _ended(teller, part, now - timedelta(minutes=10), payload={"supplier": "s1"})
    for number in range(1200):
        begun = run["started_at"] + seconds(number * 0.05)
        teller.span(run, f"row {number}", begun, begun + seconds(0.04))
    for number in range(3000):
        at = run["started_at"] + seconds(number * 0.02)
        teller.log(
            run, at, f"\x1b[32mread\x1b[0m row {number}: 19.90 CHF", (10, 20, 20, 30)[number % 4]
        )
    assert teller.rows[Span]


def _ended(teller: Storyteller, part: Part, created: object, **given: object) -> Facts:
    """A run of a minute that went well."""
    run = teller.begin(part, created, queue="shop-images", **given)  # type: ignore[arg-type]
    teller.start(run, run["created_at"] + seconds(0.3))
    teller.end(run, run["started_at"] + seconds(65), S.COMPLETED, output=run["payload"])
    return run


assert BY_ID["shop/import-feed"].queue_name == PAUSED  # what stands in it is not executed
