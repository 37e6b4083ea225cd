"""The engine as a Django app."""

from importlib import import_module

from django.apps import AppConfig

from engine import runtime


class EngineConfig(AppConfig):
    """Connects the SDK to the database once every model is loaded."""

    name = "engine"
    verbose_name = "Engine"

    def ready(self) -> None:
        runtime.install(import_module("engine.launching").StoredRuns())
