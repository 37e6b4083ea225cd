import json

import pytest

from dashboard.api import limits
from runs.lifecycle import apikeys, definitions
from tests.support.contract import Checked


class Api:
    """A client of the API with a key."""

    def __init__(self, key):
        self.client = Checked()
        self.headers = {"authorization": f"Bearer {key}"}

    def get(self, path, **query):
        return self.client.get(path, query, headers=self.headers)

    def post(self, path, body=None, **headers):
        """POST `body`: bytes as they are, anything else as JSON, None as no body."""
        sent = b"" if body is None else body
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            path, data, content_type="application/json", headers={**self.headers, **headers}
        )

    def put(self, path, body):
        return self.send("PUT", path, body)

    def delete(self, path):
        return self.send("DELETE", path)

    def send(self, method, path, body=None):
        """Any method, with a body as `post` takes it."""
        sent = b"" if body is None else body
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return self.client.generic(
            method, path, data, content_type="application/json", headers=self.headers
        )

    def trigger(self, task="hello", body=None, **headers):
        return self.post(f"/api/v1/tasks/{task}/trigger", {} if body is None else body, **headers)


@pytest.fixture
def key(db):
    return apikeys.create("tests", actor="cli:tests")[1]


@pytest.fixture
def api(key):
    return Api(key)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()
    limits.forget()
