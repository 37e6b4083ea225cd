"""What a test defines and replaces is gone after it: tasks, hooks, defaults."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from django.utils import timezone

from engine import discovery, runtime, wakeup
from engine.discovery import BrokenFile, Importer
from engine.registry import registry
from engine.runtime import Runtime
from engine.sdk import cancellation, defaults, hooks, notes
from engine.testing.clock import Clock
from runs import conf, retries
from runs.lifecycle import definitions


class Steady:
    """Chance, for retries: none, so that their delays are the same every time."""

    @staticmethod
    def random() -> float:
        return 0.0


class Newcomer(Importer):
    """Leaves alone what the tests have imported already, under whatever name."""

    def attempt(self, path: Path, name: str = "") -> BrokenFile | None:
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        return None if str(path) in files else super().attempt(path, name)


@cache
def discovered() -> None:
    """Import all task code of the project once, with its `init.py`."""
    importer = Newcomer()
    list(discovery.import_apps(importer))
    list(discovery.import_directories(discovery.task_directories(), importer))


@contextmanager
def isolated(local: Runtime, clock: Clock, sleep: Callable[[float | None], None]) -> Iterator[None]:
    """The engine of this process works for one test."""
    before = runtime.install(local)
    conf.forget()
    definitions.forget()
    with ExitStack() as stack:
        for replaced in (
            patch.object(registry, "_tasks", dict(registry._tasks)),
            patch.object(registry, "_broken", dict(registry._broken)),
            patch.object(hooks.hooks, "_hooks", list(hooks.hooks._hooks)),
            patch.object(defaults, "_project", defaults._project),
            patch.object(wakeup, "hint", lambda message: None),
            patch.object(retries, "chance", Steady),
            patch.object(timezone, "now", clock.now),
            notes.on_this_connection(),
            cancellation.passing_by(sleep),
        ):
            stack.enter_context(replaced)
        try:
            hooks.forget_chains()
            yield
        finally:
            runtime.install(before)
    hooks.forget_chains()
    definitions.forget()
    conf.forget()
