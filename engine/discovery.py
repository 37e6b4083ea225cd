"""Finds task code: every app's `tasks.py`, then the files of every task directory (DEC-4).

Each file is imported on its own. One that fails marks the tasks it would have brought as broken,
with the traceback, and the others go on (DEC-5). One that ended an earlier process while it was
imported is left out.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.apps import apps

from engine import versions
from engine.declared import declared_task_ids
from engine.leftout import LeftOut
from engine.registry import ConflictingTasks, registry
from engine.sdk.hooks import hooks
from engine.sdk.tasks import Task, naming
from runs import conf

#: Tasks of Trackside itself.
OWN, OWN_FILE = "engine.alerts.own", "alerts/own.py"
#: Imported before its neighbours: the place for what all tasks of a directory share.
FIRST = "init.py"
#: Traceback text kept of a broken file.
MAX_ERROR = 16_000


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that failed to import, why, and the tasks it would have brought as far as known."""

    path: str
    error: str
    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything one version of the task code has to offer."""

    tasks: tuple[Task[Any, Any], ...]
    broken: tuple[BrokenFile, ...]
    version: str


def nobody(path: str) -> None:
    """Who hears which file is being imported when nobody asked."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Imports one file after the other, and says which before it does."""

    left_out: LeftOut = field(default_factory=LeftOut)
    announce: Callable[[str], None] = nobody

    def attempt(self, path: Path, name: str = "") -> BrokenFile | None:
        """Import one file; None if that worked."""
        if error := self.left_out.why(path):
            return broken_file(path, error)
        self.announce(str(path))
        try:
            load(name or module_name(path), path)
            check_schemas(path)
        except ConflictingTasks:
            raise
        except BaseException:  # whatever a file raises, it must not end those that import it
            return broken_file(path, shortened(traceback.format_exc()))
        finally:
            self.announce("")
        return None


def discover(left_out: LeftOut | None = None, announce: Callable[[str], None] = nobody) -> Catalog:
    """Import all task code of this deployment. Raises ConflictingTasks.

    `announce` hears the path of each file right before its import, and "" right after it.
    """
    directories, importer = task_directories(), Importer(left_out or LeftOut(), announce)
    broken = [*import_apps(importer), *import_directories(directories, importer)]
    return Catalog(tuple(registry), tuple(broken), versions.current(directories))


def task_directories() -> list[Path]:
    """The task directories of the settings that exist."""
    paths = [Path(entry).expanduser().resolve() for entry in conf.get("TASK_DIRS")]
    return [path for path in dict.fromkeys(paths) if path.is_dir()]


def import_apps(importer: Importer) -> Iterator[BrokenFile]:
    """Import our own tasks, then `tasks.py` of every installed app that has one."""
    if broken := importer.attempt(Path(__file__).parent / OWN_FILE, OWN):
        yield broken
    for app in apps.get_app_configs():
        path = Path(app.path) / "tasks.py"
        if path.is_file() and (broken := importer.attempt(path, f"{app.name}.tasks")):
            yield broken


def import_directories(directories: Iterable[Path], importer: Importer) -> Iterator[BrokenFile]:
    """Import the files of each directory; without its `init.py` none of them can run."""
    for directory in directories:
        if str(directory) not in sys.path:
            sys.path.append(str(directory))
        first = directory / FIRST
        failed = importer.attempt(first) if first.is_file() else None
        if failed:
            yield failed
        for path in task_files(directory):
            if failed:
                yield broken_file(path, failed.error)
            elif broken := importer.attempt(path):
                yield broken


def task_files(directory: Path) -> list[Path]:
    """Python files below `directory`, without tests, private files, hidden folders and TASK_IGNORE."""
    found = (path.relative_to(directory) for path in directory.rglob("*.py"))
    wanted = [path for path in found if is_task_file(path) and not is_ignored(path)]
    return [directory / path for path in sorted(wanted)]


def is_task_file(path: Path) -> bool:
    hidden = any(part.startswith(("_", ".")) for part in path.parts)
    test = path.stem.startswith("test_") or path.stem.endswith("_test")
    return not hidden and not test and path != Path(FIRST)


def is_ignored(path: Path) -> bool:
    return any(fnmatch(path.as_posix(), pattern) for pattern in conf.get("TASK_IGNORE"))


def load(name: str, path: Path) -> None:
    """Import `path` as `name`; a name Python resolves to another file is loaded by its path."""
    if resolves(name, path):
        importlib.import_module(name)
        return
    name = f"trackside_tasks_{sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or name in sys.modules:
        return
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def check_schemas(path: Path) -> None:
    """A payload's type may name what stands below its task; now everything stands there."""
    for task in registry:
        if Path(task.source.file).resolve() == path:
            with naming(task.id):
                task.schema.check()


def module_name(path: Path) -> str:
    """The dotted name authors import this file by: the first search path that leads to it."""
    for entry in sys.path:
        root = Path(entry or ".").resolve()
        if path.is_relative_to(root):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            if resolves(name, path):
                return name
    return path.stem


def resolves(name: str, path: Path) -> bool:
    """Whether `import name` would bring this file, and not say the standard library's."""
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit):  # a package above it may fail to import
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path


def broken_file(path: Path, error: str) -> BrokenFile:
    """Take the tasks of a file out of the registry: half a file must not run."""
    registered = {task.id for task in registry if Path(task.source.file).resolve() == path}
    ids = tuple(sorted(registered | declared_task_ids(path)))
    for task_id in ids:
        registry.mark_broken(task_id, error)
    hooks.forget(str(path))
    return BrokenFile(str(path), error, ids)


def shortened(text: str) -> str:
    half = MAX_ERROR // 2
    return text if len(text) <= MAX_ERROR else f"{text[:half]}\n...\n{text[-half:]}"
