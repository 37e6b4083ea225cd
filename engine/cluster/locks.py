"""Locks between the processes of one cluster, held in the kernel's hands."""

import fcntl
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager


class Locks:
    """One lock for each slot, which the kernel opens when the process that holds it ends.

    It decides who has the runs a worker took and has not started: the worker or somebody who takes
    them away. `multiprocessing`'s locks stay closed when their holder is killed.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    @contextmanager
    def held(self, index: int) -> Iterator[None]:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, index)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, index)
