"""Who gives work: threads that trigger, complete tokens and cancel, by the API and by code.

Each call is on the log with its tries, so that what was accepted is known apart from the database.
"""

import heapq
import itertools
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import TriggerOptions, schedules, tokens
from runs.lifecycle.schedules import Timetable
from runs.models import Run, Schedule
from runs.models.run import Source
from runs.states import OPEN
from tests.chaos.field import Field
from tests.chaos.plan import Plan

#: Calls are tried so often, with these pauses between.
PAUSES = (0.2, 0.8, 2.0, 4.0, 8.0, 16.0)
#: What one call may take.
PATIENCE = 15.0
AWAY = (DatabaseError, InterfaceError, httpx.TransportError)
#: Seconds until a token that nobody completes times out.
NEVER = 4.0
NAMES = {"concurrency_key": "concurrencyKey", "idempotency_key": "idempotencyKey",
         "max_attempts": "maxAttempts"}  # fmt: skip


class Refused(Exception):
    """An answer that is no success."""


class Callers:
    """All of them."""

    def __init__(self, field: Field, plan: Plan) -> None:
        self.field, self.plan, self.log = field, plan, field.log
        self.items: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for item in plan.items:
            self.items.put(item)
        self.sent = self.under_way = 0
        self.is_over = threading.Event()
        self.later: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers, self.lock = itertools.count(), threading.Lock()
        duties = [self.send] * 4 + [self.act, self.act, self.watch, self.tick]
        self.threads = [threading.Thread(target=self.kept, args=(duty,)) for duty in duties]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def kept(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except BaseException as error:
            self.log.write("driver-error", error=repr(error))
            raise
        finally:
            connections.close_all()

    @property
    def is_done(self) -> bool:
        with self.lock:
            return self.sent >= len(self.plan.items) and not self.later

    def stop(self) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    # -- duties -----------------------------------------------------------------------------------

    def send(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not self.is_over.is_set():
                try:
                    item = self.items.get(timeout=0.1)
                except queue.Empty:
                    return
                while self.under_way > self.plan.figures.crowd and not self.is_over.is_set():
                    time.sleep(0.02)
                self.give(client, item)
                with self.lock:
                    self.sent += 1

    def act(self) -> None:
        """What was put off until now."""
        while not self.is_over.is_set():
            with self.lock:
                due = self.later and self.later[0][0] <= time.monotonic()
                found = heapq.heappop(self.later)[2] if due else None
            if found is None:
                time.sleep(0.01)
            else:
                found()

    def watch(self) -> None:
        """How much is under way, and how busy the machine is."""
        looked = 0.0
        while not self.is_over.is_set():
            try:
                self.under_way = Run.objects.filter(status__in=OPEN).count()
            except (DatabaseError, InterfaceError):
                connections.close_all()
            if time.monotonic() > looked + 5.0:
                looked = time.monotonic()
                self.log.write("load", load=os.getloadavg()[0] / (os.cpu_count() or 1))
            time.sleep(0.05)

    def tick(self) -> None:
        """Schedules fire as if it were their time; an expression has whole minutes only."""
        if not self.plan.figures.ticks:
            return
        timetable = Timetable(task_id="tick", cron="0 0 1 1 *", catch_up="latest")
        made = [
            self.insist("schedule", lambda: schedules.create(timetable, actor="cli:chaos").pk)
            for _ in range(10)
        ]
        for schedule_id in itertools.cycle(filter(None, made)):
            if self.is_over.wait(1 / self.plan.figures.ticks) or self.is_done:
                return
            try:
                self.let_fire(schedule_id)
            except (DatabaseError, InterfaceError):
                connections.close_all()

    def let_fire(self, schedule_id: str) -> None:
        now = timezone.now()
        soon = now + timezone.timedelta(seconds=0.2)
        idle = Schedule.objects.filter(pk=schedule_id, next_at__gt=now + timezone.timedelta(days=1))
        if idle.update(next_at=soon):
            self.log.write("due", schedule=schedule_id, when=soon.timestamp())

    # -- one piece of work ------------------------------------------------------------------------

    def give(self, client: httpx.Client, item: dict[str, Any]) -> None:
        if item["kind"] == "storm":
            self.storm(item)
        elif item["kind"] == "ask":
            self.ask(client, item)
        else:
            run_id = self.trigger(client, item)
            if run_id and item["kind"] == "canceled":
                self.put_off(item["after"], lambda: self.cancel(run_id))

    def trigger(self, client: httpx.Client, item: dict[str, Any], **more: Any) -> str | None:
        options = {**item["options"], **more}
        if item["by"] == "api" and self.field.webs:
            run_id = self.insist("trigger", lambda: self.post(client, item, options))
        else:
            run_id = self.insist("trigger", lambda: made(item, options))
        if run_id:
            self.log.write(
                "accepted", run=run_id, kind=item["kind"], n=item["payload"]["n"], item=item
            )
        return run_id

    def post(self, client: httpx.Client, item: dict[str, Any], options: dict[str, Any]) -> str:
        web = self.field.webs[next(self.numbers) % len(self.field.webs)]
        answer = client.post(
            f"{web.url}/api/v1/tasks/{item['task']}/trigger",
            json={
                "payload": item["payload"],
                "options": {NAMES[name]: value for name, value in options.items()},
            },
            headers={
                "authorization": f"Bearer {self.field.key}",
                "x-trigger-request-idempotency-key": f"{self.plan.seed}-{item['payload']['n']}",
            },
        )
        if answer.status_code >= 400:
            self.log.write("refused", status=answer.status_code, text=answer.text[:300])
            raise Refused(str(answer.status_code))
        return str(answer.json()["id"])

    def storm(self, item: dict[str, Any]) -> None:
        """Many callers, one key, one run."""
        key, start = f"storm {item['payload']['n']}", threading.Barrier(item["callers"])

        def one(by: str) -> None:
            with httpx.Client(timeout=PATIENCE) as client:
                start.wait()
                found = self.trigger(client, {**item, "by": by}, idempotency_key=key)
            self.log.write("storm", key=key, run=found)
            connections.close_all()

        bys = ["api", "sdk"] * item["callers"]
        threads = [threading.Thread(target=one, args=(bys[n],)) for n in range(item["callers"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask(self, client: httpx.Client, item: dict[str, Any]) -> None:
        made = self.insist("token", lambda: tokens.create(timeout=NEVER)[0].pk)
        if made is None:
            return
        item = {**item, "payload": {**item["payload"], "token": made}}
        if item["answered"] == "before":
            self.complete(made, {"is": 1})
        self.trigger(client, item)
        if item["answered"] in ("once", "twice"):
            self.put_off(item["after"], lambda: self.complete(made, {"is": 1}))
        if item["answered"] == "twice":
            self.put_off(item["after"], lambda: self.complete(made, {"is": 2}))

    def complete(self, token: str, value: dict[str, Any]) -> None:
        began = time.time()
        done = self.insist("complete", lambda: completed(token, value))
        self.log.write("completed", token=token, value=value, began=began, done=done)

    def cancel(self, run_id: str) -> None:
        began = time.time()
        status = self.insist(
            "cancel", lambda: str(lifecycle.cancel(run_id, actor="cli:chaos").status)
        )
        self.log.write("canceled", run=run_id, status=status, began=began)

    # -- all calls --------------------------------------------------------------------------------

    def put_off(self, seconds: float, call: Callable[[], None]) -> None:
        with self.lock:
            heapq.heappush(self.later, (time.monotonic() + seconds, next(self.numbers), call))

    def insist(self, name: str, call: Callable[[], str]) -> str | None:
        """Call until there is an answer; all of it is one line of the log."""
        began, tries = time.time(), 0
        errors: list[str] = []
        for pause in (*PAUSES, None):
            tries += 1
            try:
                answer = call()
            except (*AWAY, Refused) as error:
                errors.append(repr(error)[:200])
                connections.close_all()
                if pause is None or self.is_over.wait(pause):
                    break
                continue
            self.log.write("call", name=name, began=began, tries=tries, ok=True, errors=errors)
            return answer
        self.log.write("call", name=name, began=began, tries=tries, ok=False, errors=errors)
        return None


def made(item: dict[str, Any], options: dict[str, Any]) -> str:
    given = TriggerOptions(**options)
    found = lifecycle.trigger(item["task"], json.dumps(item["payload"]), given, source=Source.SDK)
    return found.run_id


def completed(token: str, value: dict[str, Any]) -> str:
    """What the token has now: the first completion's value."""
    return str(tokens.complete(token, json.dumps(value), by="cli:chaos").output)
