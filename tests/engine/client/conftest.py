import httpx
import pytest

from runs.lifecycle import apikeys, definitions
from tests.support import factories
from tests.support.inprocess import InProcess
from trackside import Client, steps
from trackside.shell import command


@pytest.fixture
def key(db):
    return apikeys.create("tests", actor="cli:tests")[1]


@pytest.fixture
def client(key):
    """A client of this process's API."""
    definitions.forget()
    factories.task("hello")
    with Client("http://testserver", key, transport=InProcess()) as made:
        yield made


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """What was slept, which takes no time here."""
    slept = []
    monkeypatch.setattr("trackside.driving.time.sleep", slept.append)

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("trackside.driving.asyncio.sleep", sleep)
    return slept


class Server:
    """Answers requests one after the other, the last for ever, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, request):
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **settings):
        transport = httpx.MockTransport(self)
        return Client(
            "http://far.example/base/",
            "tr_dev_secret_of_more_than_32_characters",
            transport=transport,
            **settings,
        )


@pytest.fixture
def server():
    return Server


@pytest.fixture
def policy():
    return steps.Policy


@pytest.fixture
def said(client, key, monkeypatch, capsys):
    """Exit code, stdout and stderr of `trackside words…`."""

    def connect(*args, **settings):
        return Client("http://testserver", key, transport=InProcess())

    monkeypatch.setattr(command, "Client", connect)

    def run(*words):
        code = command.run(list(words))
        out, err = capsys.readouterr()
        return code, out.strip(), err.strip()

    return run
