"""The engine as a Django app."""

from importlib import import_module

from django.apps import AppConfig

from engine import runtime
from runs import logformat, signals


class EngineConfig(AppConfig):
    """Connects the SDK to the database, and what happens there to the clusters, once models are loaded."""

    name = "engine"
    verbose_name = "Engine"

    def ready(self) -> None:
        runtime.install(import_module("engine.launching").StoredRuns())
        import_module("engine.checks")
        facts = import_module("engine.logcontext").facts
        if facts not in logformat.sources:
            logformat.sources.append(facts)
        wakeup = import_module("engine.wakeup")
        signals.runs_ready.connect(wakeup.on_runs_ready, dispatch_uid="trackside")
        signals.cancel_requested.connect(wakeup.on_cancel_requested, dispatch_uid="trackside")
        signals.variables_changed.connect(wakeup.on_variables_changed, dispatch_uid="trackside")
