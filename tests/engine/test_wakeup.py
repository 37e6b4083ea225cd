"""The link for notifications, where the network is not as it should be."""

import socket
from types import SimpleNamespace

import psycopg
import pytest

from engine import wakeup


def test_a_link_that_leads_nowhere_is_given_up():
    """A proxy that acknowledges and passes nothing on: only a clock notices."""
    ours, theirs = socket.socketpair()
    sent: list[bytes] = []
    wire = SimpleNamespace(
        send_query=sent.append, flush=lambda: 0, is_busy=lambda: 1, consume_input=lambda: None
    )
    with ours, theirs, pytest.raises(psycopg.OperationalError, match="does not answer"):
        wakeup.answered(SimpleNamespace(pgconn=wire, fileno=ours.fileno), 0.02)
    assert sent == [b"SELECT 1"]


@pytest.mark.django_db
def test_asking_a_link_keeps_what_it_has_heard():
    listener = wakeup.Listener()
    try:
        if listener.connection is None:
            pytest.skip("PostgreSQL's")
        with wakeup.connect() as other:
            other.execute("SELECT pg_notify(%s, %s)", (wakeup.CHANNEL, wakeup.READY))
        assert listener.is_alive()
        assert listener.messages() == [wakeup.READY]
    finally:
        listener.close()


def test_where_nothing_arrives_nothing_is_heard():
    with wakeup.deaf_socket() as ear, pytest.raises(BlockingIOError):
        ear.recv(1)
