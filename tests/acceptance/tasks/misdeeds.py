"""Bodies that misbehave."""

import ctypes
import datetime
import locale
import os
import re
import resource
import signal
import subprocess
import sys
import time

from _notes import note, noted  # type: ignore[import-not-found]

from engine import retry, task

ONCE = retry(max_attempts=1)
PATIENT = retry(max_attempts=10, min_timeout=0.05, max_timeout=0.1)


@task(id="deaf", retry=ONCE)
def deaf(payload):
    """Ignores signals and every exception that wants to stop it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    with noted():
        while True:
            pass


@task(id="in-c", retry=ONCE)
def in_c(payload):
    """Stuck in C with the interpreter's lock held."""
    with noted():
        re.match(r"(a+)+$", "a" * 64 + "b")


@task(id="end", retry=ONCE)
def end(payload):
    note("enter")
    ENDS[payload]()


def terminated():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


ENDS = {
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(0),
    "exit-3": lambda: os._exit(3),
    "system-exit": lambda: sys.exit(0),
    "abort": os.abort,
    "terminated": terminated,
}


@task(id="poison", retry=PATIENT)
def poison(payload):
    note("enter")
    os.kill(os.getpid(), signal.SIGKILL)


@task(id="python-oom", retry=ONCE)
def python_oom(payload):
    with noted():
        resource.setrlimit(resource.RLIMIT_AS, (512 * 1024**2, resource.RLIM_INFINITY))
        return len(bytearray(1024**3))


@task(id="hungry", retry=PATIENT, machine="micro")
def hungry(payload):
    """Uses more memory than a micro machine has and keeps it."""
    with noted():
        kept = [os.urandom(1024**2) * 20 for _ in range(20)]
        time.sleep(30)
        return len(kept)


@task(id="parent", retry=ONCE)
def parent(payload):
    """Leaves a child, a child in a session of its own, and a daemon with two forks."""
    note("enter")
    subprocess.Popen(["sleep", "300"])
    subprocess.Popen(["sleep", "300"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "300"])
        os._exit(0)
    if payload == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    note("exit")


@task(id="fork-returns", retry=ONCE)
def fork_returns(payload):
    """The child returns as if it were the worker."""
    note("enter")
    os.fork()
    return os.getpid()


@task(id="close-files", retry=PATIENT)
def close_files(payload):
    note("enter")
    os.closerange(0, 256)
    if payload == "reuse":
        for _ in range(40):
            os.open("/dev/null", os.O_RDWR)
    return "closed"


@task(id="untidy", retry=ONCE)
def untidy(payload):
    """Changes everything a process has."""
    note("enter")
    os.chdir("/")
    os.umask(0)
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    locale.setlocale(locale.LC_ALL, "C")
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    if payload == "clock":
        time.time = lambda: 0.0
        vars(datetime)["datetime"] = None


@task(id="tidy", retry=ONCE)
def tidy(payload):
    """How the process of a run stands."""
    note("enter")
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "cwd": os.getcwd(),
        "umask": mask,
        "zone": os.environ.get("TZ"),
        "sigterm": str(signal.getsignal(signal.SIGTERM)),
        "clock": time.time() > 1e9,
    }


@task(id="flood", retry=ONCE)
def flood(payload):
    """100 MB without a newline, bytes that are no text, and a storm of carriage returns."""
    note("enter")
    for _ in range(100):
        sys.stdout.write("x" * 1024**2)
    sys.stdout.buffer.write(b"\xff\xfe" * 1000)
    for number in range(20_000):
        sys.stdout.write(f"{number} %\r")
    return "done"
