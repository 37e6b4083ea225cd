import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from django.core.asgi import get_asgi_application

from dashboard.realtime import hub, longpoll, realtime
from runs.lifecycle import apikeys, definitions
from tests.support.waiting import eventually


class Subscriber:
    """Speaks the protocol as the reference's client does."""

    def __init__(self, http: httpx.Client, path: str, **query: str) -> None:
        self.http, self.path, self.query = http, path, query
        self.handle, self.offset, self.rows = "", "-1", {}

    def ask(self, *, live: bool = False, **query: str) -> httpx.Response:
        sent = {"log": "full", "offset": self.offset, **self.query, **query}
        sent |= {"handle": self.handle} if self.handle else {}
        sent |= {"live": "true", "cursor": ""} if live else {}
        answer = self.http.get(self.path, params=sent)
        if answer.status_code == 200:
            self.handle = answer.headers["electric-handle"]
            self.offset = answer.headers["electric-offset"]
        return answer

    def values(self, *, live: bool = False) -> list[dict]:
        """The rows that came with one answer."""
        *messages, last = self.ask(live=live).json()
        assert last == {"headers": {"control": "up-to-date"}}
        return [message["value"] for message in messages]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in this process, for all tests."""
    # with its protocol, or asyncio does not know it for one whose answers must not be delayed
    ear = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    ear.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        realtime(get_asgi_application()), lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [ear]})
    thread.start()
    yield f"http://127.0.0.1:{ear.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def http(address, transactional_db, monkeypatch) -> Iterator[httpx.Client]:
    """A client with a key."""
    definitions.forget()
    monkeypatch.setattr(longpoll, "HOLD", 0.35)
    monkeypatch.setattr(hub, "INTERVAL", 0.05)
    monkeypatch.setattr(hub, "AWAY", 0.1)
    headers = {"authorization": f"Bearer {apikeys.create('subscriber', actor='cli:tests')[1]}"}
    with httpx.Client(base_url=address, headers=headers, timeout=10) as client:
        yield client
    settle()


def settle() -> None:
    """Nothing reads the database after a test."""
    for one in hub._hubs.values():
        eventually(lambda one=one: not one.count)
        one.feeds.clear()
        one.is_stopping = False
        eventually(lambda one=one: one.reader is None or one.reader.done())


@pytest.fixture
def subscribe(http):
    return lambda path, **query: Subscriber(http, f"/realtime/v1/{path}", **query)
