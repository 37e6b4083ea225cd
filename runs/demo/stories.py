"""How runs of the shop go: each story is one run from its trigger to its end, with its children."""

from datetime import datetime
from math import log
from typing import Any

from runs.demo import documents, mishaps
from runs.demo.cast import BY_ID, PARTS, Part
from runs.demo.telling import Facts, Telling, seconds
from runs.demo.world import World
from runs.models import Batch, EventKind, Waitpoint
from runs.states import EntryStatus, RunStatus, TokenStatus

S = RunStatus
WEIGHTS = [part.weight for part in PARTS]
#: Of a hundred runs of this task so many are a batch of several, which this key made.
BATCHED, BATCHES, BATCH_ACTOR = "shop/resize-image", 5, "key:shop-backend"
#: Of a hundred runs so many are tests, or replays of what failed.
TESTS, REPLAYS = 0.8, 40
#: After a first failure, of a hundred tries so many fail too.
AGAIN = 62
CANCEL_REASONS = ("", "wrong supplier", "no longer needed", "asked by the customer", "duplicate")


class Storyteller(Telling):
    """Tells one story after the other, at the moments it is given."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        #: Of the last ones that failed: task, run and when.
        self.failed: list[tuple[Part, str, datetime]] = []

    def tell(self, created: datetime) -> None:
        part = self.rng.choices(PARTS, WEIGHTS)[0]
        chance = 100 * self.rng.random()
        if part.id == "shop/fulfil-order":
            self.fulfil(part, created)
        elif part.id == "shop/refund" and chance > 8:
            self.refund(part, created)
        elif part.id == BATCHED and chance < BATCHES:
            self.batch(part, created)
        elif chance < TESTS:
            self.run(part, created, is_test=True, source="test", actor="user:ada")
        elif self.failed and chance < REPLAYS and self.failed[0][2] < created:
            self.replay(created)
        else:
            self.run(part, created)

    def run(self, part: Part, created: datetime, **given: Any) -> Facts:
        """A run with no children."""
        run = self.begin(part, created, **given)
        chance = 100 * self.rng.random()
        for status, share in part.ends.items():
            chance -= share
            if chance < 0:
                self._otherwise(part, run, S(status))
                return run
        self._try(part, run)
        return run

    def replay(self, created: datetime) -> None:
        """Somebody runs again what failed."""
        part, run_id, _ = self.failed.pop(0)
        actor = self.actor("dashboard")
        run = self.run(part, created, source="replay", actor=actor, replayed_from_id=run_id)
        self.event(run, EventKind.REPLAYED, created, actor=actor)

    def _started(self, part: Part, run: Facts) -> datetime:
        """When it gets a slot: soon, but not in an outage."""
        created: datetime = run["created_at"]
        busy = self.world.outage_of(part.id, created)
        return created + seconds(self.rng.expovariate(1 / (20 if busy else 0.4)) + 0.002)

    def _lasts(self, part: Part) -> float:
        return self.rng.lognormvariate(log(part.seconds), part.sigma)

    def samples(self, until: datetime) -> None:
        """A run of each end, over by then: they can be looked at however few runs there are."""
        for number, part in enumerate(part for part in PARTS if part.source != "schedule"):
            created = until - seconds(1800 + 240 * number)
            self._try(part, self.begin(part, created), failing=100, again=100)
        for number, status in enumerate((S.CANCELED, S.CRASHED, S.TIMED_OUT, S.SYSTEM_FAILURE)):
            part = BY_ID["shop/resize-image"]
            run = self.begin(part, until - seconds(1200 + 170 * number))
            self._otherwise(part, run, status)
        part = BY_ID["shop/send-receipt"]
        run = self.begin(part, until - seconds(90_000))
        self._otherwise(part, run, S.EXPIRED)
        self.batch(BY_ID[BATCHED], until - seconds(700))
        self.fulfil(BY_ID["shop/fulfil-order"], until - seconds(800))
        self.refund(BY_ID["shop/refund"], until - seconds(40_000))

    def _try(self, part: Part, run: Facts, failing: float = 0, again: float = AGAIN) -> None:
        """Attempts until one goes well or none is left."""
        outage = self.world.outage_of(part.id, run["created_at"])
        failing = max(failing, 70.0 if outage else part.failing)
        at, name = self._started(part, run), outage.mishap if outage else ""
        for number in range(1, part.tries + 1):
            self.start(run, at)
            ended = at + seconds(self._lasts(part))
            fails = 100 * self.rng.random() < (failing if number == 1 else again)
            self._work(part, run, at, ended)
            if not fails:
                self._complete(part, run, ended)
                return
            name = name or self.rng.choice(part.mishaps)
            error = mishaps.error(name, self.rng)
            self.log(run, ended, f"{name}: giving up on this try", 40)
            if number < part.tries:
                delay = min(60.0, 2.0 ** (number - 1)) * self.rng.uniform(1.0, 2.0)
                at = self.retry(run, ended, error, delay)
            else:
                self.end(run, ended, S.FAILED, error=error)
                self.failed = [*self.failed[-50:], (part, run["id"], ended)]

    def _complete(self, part: Part, run: Facts, at: datetime) -> None:
        told = documents.output(part, self.rng)
        noted = documents.metadata(part, self.rng, done=True)
        self.end(
            run, at, S.COMPLETED, output=documents.text(told),
            metadata=documents.text(noted) if noted else None,
        )  # fmt: skip

    def _work(self, part: Part, run: Facts, begun: datetime, ended: datetime) -> None:
        """What a try logs, and which spans it has."""
        if not self.detailed:
            return
        length, about = ended - begun, part.about.rstrip(".").lower()
        self.log(run, begun + length * 0.02, f"start: {about}")
        if part.seconds >= 0.3:
            middle = begun + length * 0.6
            span = self.span(run, "load", begun + length * 0.05, middle, attributes='{"rows": 120}')
            self.log(run, middle, "loaded 120 rows", 10, span)
            facts = '{"http.request.method": "POST", "http.response.status_code": 200}'
            address = "POST api.example.com"
            self.span(run, address, middle, begun + length * 0.95, kind="http", attributes=facts)
        if self.rng.random() < 0.2:
            self.log(run, begun + length * 0.8, "slow answer, went on waiting", 30)
        self.log(run, ended, f"done in {length.total_seconds():.3f} s")

    def _otherwise(self, part: Part, run: Facts, status: RunStatus) -> None:
        """It ends by something else than its code's return or exception."""
        created, at = run["created_at"], self._started(part, run)
        if status == S.EXPIRED:
            self.end(
                run, created + seconds(part.ttl or 60), status, reason="Its time to live passed."
            )
            return
        who = {"reason": self.rng.choice(CANCEL_REASONS)} if status == S.CANCELED else {}
        if status == S.CANCELED and self.rng.random() < 0.5:
            self.end(run, created + seconds(self.rng.uniform(0.5, 40)), status, **who)
            return
        self.start(run, at)
        limit = part.max_duration if status == S.TIMED_OUT else None
        ended = at + seconds(limit or self._lasts(part) * self.rng.uniform(0.2, 2))
        self._work(part, run, at, ended)
        if status == S.CANCELED:
            asked = ended - (ended - at) * 0.1
            actor = self.actor("dashboard")
            self.event(run, EventKind.CANCEL_REQUESTED, asked, actor=actor, **who)
            self.end(run, ended, status, cancel_requested_at=asked, **who)
            return
        facts: Facts = {"crash_count": 1} if status == S.CRASHED else {}
        self.end(run, ended, status, error=mishaps.internal(status), **facts)

    def fulfil(self, part: Part, created: datetime) -> None:
        """An order, which waits for two runs and makes a third."""
        who = documents.customer(self.rng)
        run = self.begin(part, created, who=who, idempotency_scope="global")
        at = created + seconds(self.rng.expovariate(3))
        self.start(run, at)
        self.log(run, at, "order accepted")
        at += seconds(0.03)
        done = {"status": EntryStatus.DONE, "result": '"valid"', "finished_at": at}
        self.note(run, "step", "check the order", at - seconds(0.02), **done)
        family = {"parent_id": run["id"], "root_id": run["id"], "depth": 1, "source": "sdk"}
        for name in ("shop/charge-card", "shop/reserve-stock"):
            child = self.run(BY_ID[name], at, who=who, awaited=True, **family)
            self.note(run, "child", name, at, target=child["id"])
            self.wait(run, at, f"Waits for run {child['id']}.")
            self.resume(run, child["finished_at"])
            at = child["finished_at"] + seconds(0.03)
            if child["status"] != S.COMPLETED:
                self.log(run, at, f"{name} did not succeed", 40)
                self.end(run, at, S.FAILED, error=mishaps.error("validation", self.rng))
                return
        self.run(BY_ID["shop/send-receipt"], at, who=who, **family)
        self._complete(part, run, at + seconds(0.02))

    def refund(self, part: Part, created: datetime) -> None:
        """Waits hours for a person's answer."""
        run, at = self.token_asked(part, created)
        answered = at + seconds(self.rng.uniform(0.05, 9) * 3600)
        self.rows[Waitpoint][-1] |= {
            "status": TokenStatus.COMPLETED, "output": '{"approved": true}',
            "completed_at": answered, "completed_by": self.actor("dashboard"),
        }  # fmt: skip
        self.resume(run, answered)
        self._complete(part, run, answered + seconds(self._lasts(part)))

    def token_asked(self, part: Part, created: datetime) -> tuple[Facts, datetime]:
        """A run that waits for a token, and since when."""
        run = self.begin(part, created)
        at = self._started(part, run)
        self.start(run, at)
        token = run["token"] = self.world.new_id("waitpoint", at)
        self.rows[Waitpoint].append(
            {"id": token, "tags": '["approval", "refund"]', "run_id": run["id"], "created_at": at,
             "timeout_at": at + seconds(7 * 86_400), "schema": APPROVAL}
        )  # fmt: skip
        self.log(run, at, "somebody has to decide")
        made = {"status": EntryStatus.DONE, "finished_at": at, "target": token}
        self.note(run, "token", "", at, **made)
        at += seconds(0.02)
        self.note(run, "for", token, at, target=token)
        self.wait(run, at, f"Waits for {token}.")
        return run, at

    def batch(self, part: Part, created: datetime) -> None:
        """Pictures that were uploaded together."""
        size, batch_id = self.rng.randrange(4, 26), self.world.new_id("batch", created)
        row = {"id": batch_id, "run_count": size, "tasks": f'["{part.id}"]', "source": "api"}
        self.rows[Batch].append({**row, "actor": BATCH_ACTOR, "created_at": created})
        for _ in range(size):
            self.run(part, created, batch_id=batch_id, source="api", actor=BATCH_ACTOR)


APPROVAL = documents.text(
    {
        "type": "object",
        "title": "Decision",
        "required": ["approved"],
        "properties": {"approved": {"type": "boolean"}, "comment": {"type": "string"}},
    }
)
