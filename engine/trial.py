"""What the task code has to offer, found by a process that may die of it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

from engine.discovery import discover
from engine.leftout import LeftOut, sentence
from engine.registry import ConflictingTasks

FORK = get_context("fork")


@dataclass(frozen=True, slots=True)
class Found:
    """Id and file of every task, path and error of every broken file, or what forbids to start."""

    tasks: tuple[tuple[str, str], ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    refusal: str = ""


def find(variables: Mapping[str, str] | None = None) -> Found:
    """Import everything in a child; one that dies of a file is followed by one that leaves it out.

    `variables` are in its environment, unless the machine has its own.
    """
    left_out = LeftOut()
    while True:
        reader, writer = FORK.Pipe(duplex=False)
        with reader:
            child = FORK.Process(target=tell, args=(writer, left_out, variables or {}))
            child.start()
            writer.close()
            last = last_message(reader)
        if isinstance(last, Found):
            child.kill()  # threads of the task code may keep it for ever
            child.join()
            return last
        child.join()
        if not last or last in left_out.errors:
            return Found(refusal=f"Importing the tasks ended with exit code {child.exitcode}.")
        left_out.add(last, sentence(last, child.exitcode))


def tell(writer: Connection, left_out: LeftOut, variables: Mapping[str, str]) -> None:
    """In the child: say what is being imported, and at the end what was found."""
    os.environ.update({**variables, **os.environ})
    try:
        catalog = discover(left_out, writer.send)
    except ConflictingTasks as error:
        writer.send(Found(refusal=str(error)))
        return
    sys.stdout.flush()  # what the files printed; this process will be killed
    tasks = tuple((task.id, task.source.file) for task in catalog.tasks)
    writer.send(Found(tasks, tuple((file.path, file.error) for file in catalog.broken)))


def last_message(reader: Connection) -> Found | str:
    """What the child found, or else the last thing it said before it ended."""
    last: Found | str = ""
    try:
        while not isinstance(last, Found):
            last = reader.recv()
    except EOFError:
        pass
    return last
