"""Obeying what people tell this cluster on the Workers page."""

import logging
import os
import signal

from engine.cluster.board import Board
from runs.lifecycle import orders
from runs.models import Order

log = logging.getLogger("trackside")


def obey(board: Board) -> None:
    """Look for an order, and pass it on to the dispatcher or the main process."""
    ordered = orders.ordered(board.session_id)
    board.head.drained = ordered == Order.DRAIN
    if ordered == Order.STOP and not board.head.stop:
        log.info("Somebody told this cluster to stop, on the Workers page.")
        os.kill(board.main, signal.SIGTERM)
