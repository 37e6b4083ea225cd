"""Tests of tasks: without a cluster, without a database server, without waiting (docs/testing.md).

```python
def test_an_order_is_charged_once(trackside):
    run = trackside.run(fulfil_order, Order(number="A7"))
    assert run.ok
    assert [step.name for step in run.steps] == ["charge"]
```

With pytest the fixture `trackside` is there as soon as Trackside is installed; elsewhere `Trackside()`
is a context manager. Runs go through the engine and the database as they do in production.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.testing.clock import Clock
    from engine.testing.harness import Trackside
    from engine.testing.problems import TracksideError
    from engine.testing.records import LogLine, RecordedRun, Step, Try, Waited
    from engine.testing.stubs import Stub

__all__ = [
    "Clock",
    "LogLine",
    "RecordedRun",
    "Step",
    "Stub",
    "Trackside",
    "TracksideError",
    "Try",
    "Waited",
]
PLACES = ("problems", "clock", "records", "stubs", "harness")


def __getattr__(name: str) -> Any:
    """Its parts need Django's apps, which nobody may have set up when a test module is imported."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("engine.testing.database").ready()
    for place in PLACES:
        module = import_module(f"engine.testing.{place}")
        if name in vars(module):
            return vars(module)[name]
    raise AttributeError(name)
