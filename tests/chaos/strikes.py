"""Faults, each done as the plan says and written down with its victims."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from django.db import connection

from tests.chaos.field import Field, Node
from tests.support.site import kill, pause
from tests.support.waiting import eventually

HELPERS = ("dispatcher", "bookkeeper")
BACKENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = %s
   AND random() < 0.5
"""


class Striker:
    """Strikes, and undoes what does not undo itself."""

    def __init__(self, field: Field) -> None:
        self.field, self.log = field, field.log
        #: Nodes that are stopped or cut off.
        self.away: set[int] = set()
        self.undone: list[threading.Timer] = []
        self.kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "child": self.child,
            "helper": self.helper,
            "node": self.node,
            "sentinel": self.sentinel,
            "web": self.web,
            "aim": self.aim,
            "stop": self.stop,
            "terminate": self.terminate,
            "lose": self.lose,
            "restart": lambda fault: self.outage(fault, signal.SIGINT),
            "crash": lambda fault: self.outage(fault, signal.SIGKILL),
        }

    def strike(self, fault: dict[str, Any]) -> None:
        self.relaunch()
        self.kinds[fault["kind"]](fault)

    def settle(self) -> None:
        """All faults are over: everything runs again."""
        for timer in self.undone:
            timer.join()
        for shot in self.field.aims.iterdir():
            with suppress(FileNotFoundError):
                shot.unlink()
        self.relaunch()

    def relaunch(self) -> None:
        """As a service manager does."""
        for node in self.field.nodes:
            if node.cluster.process.poll() is not None:
                node.start()

    def chosen(self, fault: dict[str, Any]) -> Node:
        """The node of the plan, or the next that is neither stopped nor cut off."""
        nodes = self.field.nodes
        order = [nodes[(fault["node"] + step) % len(nodes)] for step in range(len(nodes))]
        return next((node for node in order if node.number not in self.away), order[0])

    # -- processes --------------------------------------------------------------------------------

    def child(self, fault: dict[str, Any]) -> None:
        self.kill_one(fault, "worker")

    def helper(self, fault: dict[str, Any]) -> None:
        self.kill_one(fault, HELPERS[int(fault["pick"] * 10) % 2])

    def kill_one(self, fault: dict[str, Any], name: str) -> None:
        node = self.chosen(fault)
        with suppress(IndexError):  # the cluster is on its way
            victims = node.cluster.named(name) + (
                node.cluster.named("host") if name == "worker" else []
            )
            victim = victims[int(fault["pick"] * len(victims))]
            self.log.write("kill", kind=name, host=node.host, pids=[victim])
            kill(victim, signal.SIGKILL)

    def node(self, fault: dict[str, Any]) -> None:
        node = self.chosen(fault)
        self.log.write("kill", kind="node", host=node.host, pids=node.cluster.tree)
        node.kill()
        node.start()

    def sentinel(self, fault: dict[str, Any]) -> None:
        node = self.chosen(fault)
        with suppress(IndexError):
            victim = node.cluster.sentinel
            tree = node.cluster.tree
            self.log.write("kill", kind="node", host=node.host, pids=tree)
            kill(victim, signal.SIGKILL)
            node.cluster.ended()
            node.start()

    def web(self, fault: dict[str, Any]) -> None:
        if self.field.webs:
            web = self.field.webs[int(fault["pick"] * len(self.field.webs))]
            self.log.write("kill", kind="web", host="", pids=[web.process.pid])
            web.kill()
            web.start()

    def aim(self, fault: dict[str, Any]) -> None:
        (self.field.aims / fault["shot"]).touch()

    def stop(self, fault: dict[str, Any]) -> None:
        node = self.chosen(fault)
        if node.number in self.away:
            return
        tree, seconds = node.cluster.tree, fault["leases"] * self.field.lease
        self.away.add(node.number)
        line = self.log.write("stop", host=node.host, pids=tree, seconds=seconds)
        pause(*tree)

        def go_on() -> None:
            for pid in tree:
                kill(pid, signal.SIGCONT)
            self.log.write("go-on", host=node.host, since=line["at"])
            self.away.discard(node.number)

        self.undo(seconds, go_on)

    # -- the network and the server ---------------------------------------------------------------

    def lose(self, fault: dict[str, Any]) -> None:
        node = self.chosen(fault)
        if node.proxy is None or node.number in self.away:
            return
        proxy, how, seconds = node.proxy, fault["how"], fault["leases"] * self.field.lease
        line = self.log.write("lose", host=node.host, how=how, way=fault["way"], seconds=seconds)
        if how == "delay":
            proxy.tell("delay", seconds=0.05 + fault["pick"] * 0.15)
        elif how == "mute":
            proxy.tell("mute", way=fault["way"])
        else:
            proxy.tell(how)
            seconds = 0.0
        if not seconds:
            return
        self.away.add(node.number)

        def heal() -> None:
            proxy.tell("delay", seconds=0)
            if how == "mute":
                proxy.tell("cut")
            self.log.write("healed", host=node.host, since=line["at"], how=how)
            self.away.discard(node.number)

        self.undo(seconds, heal)

    def terminate(self, fault: dict[str, Any]) -> None:
        if connection.vendor == "postgresql":
            self.log.write("terminate")
            with psycopg.connect(self.field.site.url, autocommit=True) as admin:
                admin.execute(BACKENDS, [connection.settings_dict["NAME"]])

    def outage(self, fault: dict[str, Any], number: signal.Signals) -> None:
        server = self.field.server
        if server is None:
            return
        began = time.time()
        server.crash(number)
        connection.close()
        time.sleep(fault["leases"] * self.field.lease)
        server.serve()
        eventually(self.answers, within=60)
        self.log.write("outage", kind=fault["kind"], began=began, seconds=time.time() - began)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.field.site.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def undo(self, seconds: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, call)
        timer.start()
        self.undone.append(timer)
