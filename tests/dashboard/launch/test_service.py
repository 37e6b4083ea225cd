import os
import sys

import pytest

from dashboard.launch.processes import kill_session, python_path, spawn
from dashboard.launch.service import Service
from tests.support.waiting import eventually

SLEEPS = "import signal; signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
)


@pytest.fixture
def service():
    made = Service("Web", python(SLEEPS), grace_seconds=5)
    yield made
    for process in [made.process, *made.retiring]:
        if process is not None:
            kill_session(process.pid)
            process.wait()


def test_starts_again_what_died_after_a_pause(service):
    lines: list[str] = []
    service.pause = 0.05
    service.start()
    first = service.process.pid
    service.process.kill()
    eventually(lambda: service.tend(lines.append) or running(service) not in {None, first})
    assert lines == ["Web stopped by itself (SIGKILL); starting it again in 0.05 s."]


def test_pauses_longer_each_time(service):
    service.command = python("raise SystemExit(3)")
    service.pause = 0.01
    lines: list[str] = []
    service.start()
    eventually(lambda: service.tend(lines.append) or len(lines) == 3)
    assert "(exit code 3)" in lines[0]
    assert [line.split()[-2] for line in lines] == ["0.01", "0.02", "0.04"]


def test_stops_when_asked(service):
    service.start()
    service.retire()
    eventually(lambda: service.tend(print) or service.stopped)


def test_kills_what_does_not_stop_in_time(service, tmp_path):
    service.command, service.grace_seconds = python(ready(tmp_path) + STUBBORN), 0.1
    service.start()
    eventually((tmp_path / "ready").exists)
    lines: list[str] = []
    service.retire()
    eventually(lambda: service.tend(lines.append) or service.stopped)
    assert lines[0] == "Web did not stop in time and is killed."


def test_hurrying_shortens_the_grace(service, tmp_path):
    service.command, service.grace_seconds = python(ready(tmp_path) + STUBBORN), 600
    service.start()
    eventually((tmp_path / "ready").exists)
    service.retire()
    service.hurry(0.05)
    eventually(lambda: service.tend(lambda line: None) or service.stopped)


def test_a_replacement_starts_while_the_old_one_finishes(service, tmp_path):
    service.command = python(ready(tmp_path) + STUBBORN)
    service.start()
    eventually((tmp_path / "ready").exists)
    old = service.process
    service.replace()
    assert service.process is not old
    assert old.poll() is None
    assert old in service.retiring


def test_what_a_dead_child_left_behind_is_killed(service, tmp_path):
    left = tmp_path / "left"
    service.command = python(
        f"import pathlib, subprocess, sys\n"
        f"left = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n"
        f"pathlib.Path({str(left)!r}).write_text(str(left.pid))\n"
    )
    service.pause = 60
    service.start()
    eventually(lambda: service.tend(lambda line: None) or service.process is None)
    eventually(lambda: gone(int(left.read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells children of their parent's death")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path):
    child = tmp_path / "child"
    parent = spawn(
        python(
            "import pathlib, signal, sys\n"
            "from dashboard.launch.processes import spawn\n"
            f"child = spawn([sys.executable, '-c', {SLEEPS!r}], {{}})\n"
            f"pathlib.Path({str(child)!r}).write_text(str(child.pid))\n"
            "signal.pause()\n"
        ),
        python_path() | {"PYTHONPATH": os.getcwd()},
    )
    eventually(lambda: child.exists() and child.read_text())
    parent.kill()
    parent.wait()
    eventually(lambda: gone(int(child.read_text())))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def ready(directory) -> str:
    """Code that says it runs, and from then on ignores SIGTERM."""
    return (
        "import signal, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(directory / 'ready')!r}).touch()\n"
    )


def running(service: Service) -> int | None:
    return service.process.pid if service.process else None


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie waits only for its parent.
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"
