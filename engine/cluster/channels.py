"""Messages between the processes of one cluster.

Unix datagram sockets instead of `multiprocessing.Queue`: a message is written or not, there is no
lock for a killed process to keep and no feeder thread.
"""

import pickle
import select
import socket
from typing import Any

#: Largest message: a batch of log text or a signed package of ids.
LARGEST = 256 * 1024


class Channel:
    """A one-way channel any number of processes may write to and one reads from."""

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGEST)

    def fileno(self) -> int:
        return self.reader.fileno()

    def send(self, message: bytes, patience: float = 0.05) -> bool:
        """Write one message; False when the reader leaves no room for `patience` seconds."""
        try:
            self.writer.send(message, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            if patience <= 0 or not select.select([], [self.writer], [], patience)[1]:
                return False
            return self.send(message, 0)
        return True

    def receive(self) -> bytes | None:
        """One message, or None when there is none."""
        try:
            return self.reader.recv(LARGEST, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None

    def drain(self) -> list[bytes]:
        """All messages that are there, at most a thousand."""
        messages: list[bytes] = []
        while len(messages) < 1000 and (message := self.receive()) is not None:
            messages.append(message)
        return messages


class TaskQueue(Channel):
    """One worker's inbox, with the methods django-q2's worker loop calls on its queue."""

    def put(self, item: Any) -> None:
        self.send(pickle.dumps(item), patience=1.0)

    def get(self) -> Any:
        return pickle.loads(self.reader.recv(LARGEST))  # noqa: S301  from our own dispatcher

    def empty(self) -> bool:
        return not select.select([self.reader], [], [], 0)[0]

    def peek(self, seconds: float) -> Any:
        """What `get` will return, once it is there; None when nothing comes for so long."""
        if not select.select([self.reader], [], [], seconds)[0]:
            return None
        return pickle.loads(self.reader.recv(LARGEST, socket.MSG_PEEK))  # noqa: S301  our own


class Inboxes:
    """All inboxes as the one task queue django-q2's pusher and sentinel know."""

    def __init__(self, inboxes: list[TaskQueue]) -> None:
        self.inboxes = inboxes

    def put(self, task: Any) -> None:
        self.inboxes[task["slot"]].put(task)

    def empty(self) -> bool:
        return all(inbox.empty() for inbox in self.inboxes)


class NoResults:
    """django-q2's result queue: outcomes are written by the workers, so nothing travels here."""

    def put(self, item: Any) -> None:
        """Nothing to keep."""

    def empty(self) -> bool:
        return True
