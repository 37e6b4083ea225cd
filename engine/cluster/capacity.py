"""What the machines of a cluster's runs may have together: the settings, or what this computer has."""

import math
import os
from contextlib import suppress
from pathlib import Path

from runs import conf
from runs.machines import GIGABYTE, Capacity, share

#: vCPUs for each core: bodies wait more than they compute.
OVERBOOKED = 4
#: Where control groups of either version say how many bytes a container may use.
GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def capacity(workers: int, *, shared: bool) -> Capacity:
    """That of a cluster with so many worker processes, and one more that async runs share.

    What the settings do not say is never too little for an ordinary run in each of them.
    """
    ours, processes = share(), workers + shared
    cpu = float(conf.get("CAPACITY_CPU"))
    memory = float(conf.get("CAPACITY_MEMORY"))
    tight = any(
        0 < given < processes * one for given, one in ((cpu, ours.cpu), (memory, ours.memory))
    )
    return Capacity(
        cpu or max(float(cores() * OVERBOOKED), processes * ours.cpu),
        memory or max(float(installed()), processes * ours.memory),
        tight,
    )


def cores() -> int:
    """Those this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed() -> int:
    """Gigabytes of memory, rounded up: a computer keeps some of what it was sold with for itself."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in GROUPS:
        with suppress(OSError, ValueError):  # "max" is no limit
            found = min(found, int(Path(path).read_text()))
    return math.ceil(found / GIGABYTE)
