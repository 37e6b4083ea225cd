"""A cluster does what people tell it on the Workers page."""

import os
import signal

import pytest

from engine.cluster import orders as obeying
from engine.cluster.board import Board
from engine.cluster.bookkeeper import open_session
from engine.cluster.channels import Channel
from engine.cluster.dispatcher import DispatchBroker
from runs.lifecycle import orders
from runs.models import WorkerSession

pytestmark = pytest.mark.django_db


def told(session, what):
    orders.order(session.pk, what, actor="user:ada")


def test_the_cluster_obeys(monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    board = Board(2, "reports", "v1")
    open_session(board)
    session = WorkerSession.objects.get()
    obeying.obey(board)
    assert (board.head.drained, sent) == (0, [])
    told(session, "drain")
    obeying.obey(board)
    assert board.head.drained == 1
    told(session, "resume")
    obeying.obey(board)
    assert board.head.drained == 0
    told(session, "stop")
    obeying.obey(board)
    assert sent == [(board.main, signal.SIGTERM)]


def test_a_drained_dispatcher_claims_nothing(monkeypatch):
    board = Board(2, "reports", "v1")
    broker = DispatchBroker(board, Channel())
    waited = []
    monkeypatch.setattr(broker, "connect", lambda: None)
    monkeypatch.setattr(broker, "wait", waited.append)
    board.head.drained = 1
    assert (broker.look(), len(waited)) == ([], 1)
    broker.wake.reader.close()
    broker.wake.writer.close()
