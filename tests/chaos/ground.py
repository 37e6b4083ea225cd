"""A database server of its own, and a new database for every campaign."""

import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos import mutants
from tests.chaos.plan import Plan
from tests.support.postgres import SETTINGS, Postgres

TALKATIVE = SETTINGS | {"log_min_messages": "error", "deadlock_timeout": "200ms"}


class Ground:
    """Where campaigns are fought. Until it is entered nothing of Django is loaded."""

    def __init__(self, database: str, keep: Path | None = None) -> None:
        self.database, self.keep = database, keep
        self.home = Path(tempfile.mkdtemp(prefix="trackside-chaos-"))
        self.server = Postgres(TALKATIVE) if database == "postgresql" else None

    def __enter__(self) -> Self:
        if self.server is not None:
            self.server.start()
        url = self.server.url if self.server else f"sqlite:///{self.home / 'first.sqlite3'}"
        os.environ.update(
            DJANGO_SETTINGS_MODULE="tests.settings",
            DATABASE_URL=url,
            TRACKSIDE_DATA_DIR=str(self.home / "data"),
            SECRET_KEY="for-tests-only-" + "0123456789abcdef" * 3,
        )
        import_module("django").setup()
        self.site = import_module("tests.support.site")
        self.templates = self.site.new_template(self.home)
        self.template = self.templates.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.templates.__exit__(None, None, None)
        import_module("django.db").connections.close_all()
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def report(self) -> Any:
        return import_module("tests.chaos.report")

    def fight(self, plan: Plan, name: str = "", mutant: str = "") -> Any:
        """One campaign; what is known of it afterwards."""
        home = Path(tempfile.mkdtemp(dir=self.home))
        opened = import_module("tests.chaos.field").opened
        try:
            with self.site.new_site(self.template, home) as site, site.in_view():
                with import_module("django.db").connection.cursor() as cursor:
                    mutants.plant(mutant, cursor)
                with opened(site, plan.figures, self.server, mutant) as field:
                    return import_module("tests.chaos.campaign").run(field, plan)
        finally:
            if self.keep is not None:
                kept = self.keep / "-".join(filter(None, [self.database, str(plan.seed), name]))
                shutil.copytree(home, kept, dirs_exist_ok=True)
                if self.server is not None:
                    shutil.copy(self.server.log, kept / "server.log")
            shutil.rmtree(home, ignore_errors=True)
