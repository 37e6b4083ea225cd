"""The dispatcher as django-q2's sentinel starts it."""

import django_q.cluster

from engine.cluster import conclusions
from engine.cluster import worker as workers
from engine.cluster.board import Board
from engine.cluster.channels import Inboxes
from engine.cluster.dispatcher import DispatchBroker, prepare_child


class StopFlag:
    """What django-q2's pusher asks whether to go on; an Event's lock could be left held."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def is_set(self) -> bool:
        return bool(self.board.head.stop)

    def set(self) -> None:
        """The stop is on the board already."""


def dispatch(task_queue: Inboxes, stop: StopFlag, broker: DispatchBroker) -> None:
    """The dispatcher process: django-q2's own loop."""
    prepare_child(broker.parent, "ts-dispatcher")
    broker.execute, broker.conclude = workers.execute, conclusions.conclude
    django_q.cluster.pusher(task_queue, stop, broker)
