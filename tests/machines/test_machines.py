"""Three clusters and two web servers on machines of their own, against one PostgreSQL."""

import json
import time
import uuid
from functools import partial
from pathlib import Path

import httpx
import pytest

from runs.lifecycle import apikeys, definitions
from runs.models import Attempt, Lease, SessionState, WorkerSession
from tests.support import invariants
from tests.support.network import GATEWAY, Machine, Network
from tests.support.site import TASKS, TIMERS, Site
from tests.support.starter import MARK
from tests.support.waiting import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]
LEASE = 3.0
#: A lost machine's runs go on after its lease, a sweep and a claim; the rest is this busy computer.
BOUND = LEASE + 5.0
#: A machine is back when TCP has tried again, its session is found lost, and its workers are new.
BACK = 30.0


class Fleet:
    """The machines of a site."""

    def __init__(self, site: Site, cables: Network) -> None:
        self.site, self.cables = site, cables
        self.key = apikeys.create("of the machines", actor="cli:tests")[1]
        self.webs: list[str] = []

    def environment(self) -> dict[str, str]:
        url = self.site.url.replace("127.0.0.1", GATEWAY)
        return self.site.instance.environment | {
            **TIMERS,
            MARK: self.site.mark,
            "TEST_LEDGER": str(self.site.ledger),
            "TRACKSIDE_TASK_DIRS": str(TASKS),
            "TRACKSIDE_LEASE_SECONDS": str(LEASE),
            "DATABASE_URL": url,
            "ALLOWED_HOSTS": "*",
        }

    def cluster(self, name: str, workers: int) -> Machine:
        made = self.cables.machine(name)
        words = [str(self.site.instance.script), "qcluster", "--workers", str(workers)]
        made.start(words, self.environment(), self.site.home)
        eventually(partial(is_ready, name, workers), within=60)
        definitions.forget()
        return made

    def web(self, name: str) -> Machine:
        made = self.cables.machine(name)
        words = ["-m", "uvicorn", "dashboard.asgi:application", "--port", "8000", "--host"]
        made.start([*words, made.address], self.environment(), self.site.home)
        self.webs.append(f"http://{made.address}:8000")
        eventually(lambda: answers(self.webs[-1]), within=60)
        return made

    def has_entered(self, run_id: str, times: int) -> bool:
        return len(self.site.entered(run_id)) >= times

    def post(self, task: str, payload: object) -> str:
        """Trigger over HTTP as a careful client does: at any web server, again until one answers."""
        body = {"payload": payload, "options": {"idempotencyKey": uuid.uuid4().hex}}
        headers = {"authorization": f"Bearer {self.key}"}
        for url in self.webs * 5:
            try:
                answer = httpx.post(
                    f"{url}/api/v1/tasks/{task}/trigger", json=body, headers=headers, timeout=5
                )
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                self.site.accepted.append(answer.json()["id"])
                return self.site.accepted[-1]
        raise AssertionError("no web server answered")


@pytest.fixture
def fleet(site: Site, cables: Network) -> Fleet:
    return Fleet(site, cables)


def test_one_cut_off_one_frozen_one_killed(fleet: Fleet, site: Site) -> None:
    web, _ = fleet.web("web-1"), fleet.web("web-2")
    cut_off = fleet.cluster("cut-off", workers=3)
    limited = [site.hold(queue="narrow"), site.hold(queue="narrow")]
    held = [site.hold(), *limited]
    frozen = fleet.cluster("frozen", workers=2)
    held += [site.hold(), site.hold()]
    assert [host_of(run_id) for run_id, _ in held] == ["cut-off"] * 3 + ["frozen"] * 2
    killed = fleet.cluster("killed", workers=6)
    time.sleep(LEASE)  # until it may declare others lost

    cut_off.cut()
    frozen.freeze()
    the_third_takes_over(fleet, [run_id for run_id, _ in held], time.time())
    for run_id, _ in limited:  # the machine itself saw that its time was over
        assert first(site, run_id, "exit") <= site.entered(run_id)[1]["at"]

    cut_off.mend()
    frozen.thaw()
    both_come_back({"cut-off": 3, "frozen": 2})

    killed.crash()
    web.crash()
    both_finish_it(fleet, held, time.time())
    invariants.check(site, {"narrow": 2})


def the_third_takes_over(fleet: Fleet, held: list[str], at: float) -> None:
    """What was executing on the lost machines, and all that is new."""
    small = [fleet.post("work", {"seconds": 0.01}) for _ in range(30)]
    for run_id in small:
        assert host_of(fleet.site.completed(run_id).pk) == "killed"
    for run_id in held:
        eventually(partial(fleet.has_entered, run_id, 2), within=BOUND * 2)
    worst = max(fleet.site.entered(run_id)[1]["at"] for run_id in held) - at
    print(f"taken over after {worst:.1f} s")
    assert worst <= BOUND


def both_come_back(machines: dict[str, int]) -> None:
    """By themselves, as somebody new."""
    at = time.time()
    for name, workers in machines.items():
        eventually(partial(is_ready, name, workers), within=BACK)
        assert WorkerSession.objects.filter(host=name, state=SessionState.DEAD).count() == 1
        print(f"{name} is back after {time.time() - at:.1f} s")


def both_finish_it(fleet: Fleet, held: list[tuple[str, Path]], at: float) -> None:
    """With the only machine gone that had not been lost, and one of the web servers."""
    for _, until in held:
        until.touch()
    small = [fleet.post("work", {"seconds": 0.01}) for _ in range(20)]
    for run_id, _ in held:
        assert fleet.site.completed(run_id, within=BOUND * 3).attempt_number == 3
        assert host_of(run_id) in ("cut-off", "frozen")
        assert fleet.site.entered(run_id)[2]["at"] - at <= BOUND
    for run_id in small:
        fleet.site.completed(run_id)


def is_ready(host: str, workers: int) -> bool:
    """Whether so many workers of the machine's living session take or execute something."""
    session = WorkerSession.objects.filter(host=host, state=SessionState.ALIVE).first()
    slots = json.loads(session.workers or "[]") if session else []
    return sum(slot["state"] in ("FREE", "RUNNING") for slot in slots) >= workers


def host_of(run_id: str) -> str:
    """The machine that executed, or executes, it last."""
    lease = Lease.objects.filter(run_id=run_id).first()
    holder = lease or Attempt.objects.filter(run_id=run_id).latest("number")
    return WorkerSession.objects.get(pk=holder.session_id).host


def first(site: Site, run_id: str, what: str) -> float:
    return next(n["at"] for n in site.notes() if n["run"] == run_id and n["what"] == what)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/runs", timeout=5).status_code == 401
    except httpx.TransportError:
        return False
