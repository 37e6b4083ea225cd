"""What the figures were measured on, with the two costs that decide most of them."""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

ROUND_TRIPS = 1_000
FLUSHES = 200


def machine() -> dict[str, object]:
    """Processor, cores, load and versions; microseconds of a round trip and of a flushed write."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.platform(),
        "round_trip_us": round(round_trip()),
        "flush_us": round(flush()),
    }


def describe(facts: dict[str, object]) -> str:
    """One line for people."""
    return (
        "{cpu}, {cores} cores, load {load}, Python {python}; a round trip between two processes "
        "{round_trip_us} µs, a flushed write {flush_us} µs".format(**facts)
    )


def round_trip() -> float:
    """Microseconds to wake another process and be woken by its answer, on an idle machine."""
    ask, answer = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _echo(ask[0], answer[1])
    begun = time.perf_counter()
    for _ in range(ROUND_TRIPS):
        os.write(ask[1], b".")
        os.read(answer[0], 1)
    seconds = time.perf_counter() - begun
    os.write(ask[1], b"x")
    os.waitpid(pid, 0)
    for end in (*ask, *answer):
        os.close(end)
    return seconds / ROUND_TRIPS * 1e6


def flush() -> float:
    """Microseconds of writing and flushing one database page where the servers keep their data."""
    taken = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(FLUSHES):
            begun = time.perf_counter()
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


def _echo(ask: int, answer: int) -> None:
    while (letter := os.read(ask, 1)) == b".":
        os.write(answer, letter)
    os._exit(0)


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
