"""Alerts on their way: what is sent, how it is signed, and where it may not go."""

import hashlib
import hmac
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from django.core import mail

from engine.alerts import addresses, own, sending
from engine.alerts.addresses import Forbidden
from engine.alerts.sending import NotDelivered
from runs.lifecycle import alerts

pytestmark = pytest.mark.django_db
SECRET = "s" * 20


@pytest.fixture
def local(settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ALERT_NETWORKS": ["127.0.0.0/8"], "URL": "https://t.example"}  # fmt: skip


@pytest.fixture
def heard():
    """A server that keeps what it hears: (path, headers, body)."""
    found = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            found.append((self.path, dict(self.headers), body))
            status = 302 if self.path == "/moved" else 500 if self.path == "/broken" else 200
            self.send_response(status)
            self.send_header("location", "http://169.254.169.254/")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.insert(0, f"http://localhost:{server.server_port}")
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def delivery(kind, address, **message):
    channel = alerts.save_channel("c", kind, address, secret=SECRET, actor="a")
    line = {"text": "hello failed: no", "path": "/runs/run_1"}
    return alerts.deliver(channel, None, {"title": "r", "count": 3, "items": [line]} | message)


def send(made):
    return sending.send(made, alerts.secrets(made.channel))


def test_a_webhook_is_signed(local, heard):
    made = delivery("webhook", heard[0] + "/hook?a=1")
    assert send(made) == "200 ok"
    path, headers, body = heard[1]
    moment, signed = (part.partition("=")[2] for part in headers["trackside-signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
    assert (path, signed) == ("/hook?a=1", expected)
    assert headers["host"] == heard[0].removeprefix("http://")
    told = json.loads(body)
    assert (told["id"], told["count"]) == (made.pk, 3)
    assert told["items"] == [{"text": "hello failed: no", "url": "https://t.example/runs/run_1"}]


def test_slack_hears_lines(local, heard):
    send(delivery("slack", heard[0]))
    text = json.loads(heard[1][2])["text"]
    assert text.splitlines()[0].endswith("r: 3 times")
    assert "https://t.example/runs/run_1" in text
    assert text.endswith("… and 2 more")


def test_mail(local, settings):
    send(delivery("email", "a@example.com, b@example.com"))
    (sent,) = mail.outbox
    assert sent.to == ["a@example.com", "b@example.com"]
    assert "\n" not in sent.subject
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = ""
    with pytest.raises(NotDelivered, match="EMAIL_HOST"):
        send(delivery_of(sent))


def delivery_of(_):
    return delivery_named("other")


def delivery_named(name):
    channel = alerts.save_channel(name, "email", "a@example.com", actor="a")
    return alerts.deliver(channel, None, {"title": "r", "count": 1, "items": []})


@pytest.mark.parametrize(
    ("path", "said"), [("/moved", "answered 302"), ("/broken", "answered 500")]
)
def test_what_is_not_taken_is_said(local, heard, path, said):
    with pytest.raises(NotDelivered, match=said):
        send(delivery("slack", heard[0] + path))
    assert len(heard) == 2


def test_nobody_there(local):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NotDelivered, match="was not reached"):
            send(delivery("slack", address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "0.0.0.0",
        "2130706433", "0x7f000001", "017700000001", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
        "100.64.0.1", "198.18.0.1", "[fe80::1]", "224.0.0.1", "168.63.129.16", "192.168.1.1",
    ],
)  # fmt: skip
def test_an_address_must_not_reach_into_our_own_network(host):
    made = delivery("slack", f"http://{host}/")
    with pytest.raises(NotDelivered, match=r"not a public address|not reached"):
        send(made)


def test_the_answer_that_was_looked_at_is_the_one_used(monkeypatch):
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [(0, 0, 0, "", (ip, 80)) for ip in next(answers)])  # fmt: skip
    assert addresses.resolved("rebinding.example", 80) == "93.184.216.34"
    with pytest.raises(Forbidden):
        addresses.resolved("rebinding.example", 80)


def test_the_task_notes_what_became_of_it(local, heard):
    made = delivery("slack", heard[0] + "/broken")
    for number, status in ((1, "pending"), (own.ATTEMPTS, "failed")):
        ctx = SimpleNamespace(attempt=SimpleNamespace(number=number))
        with pytest.raises(NotDelivered):
            own.deliver({"delivery": made.pk}, ctx)
        made.refresh_from_db()
        assert (made.status, made.attempts) == (status, 1 if number == 1 else 2)
    assert "answered 500" in made.answer
    assert alerts.again(made.pk, actor="a").pk != made.pk
    fine = alerts.test(alerts.save_channel("d", "slack", heard[0], actor="a"), actor="a")
    assert own.deliver({"delivery": fine.pk}, ctx) == "200 ok"
    assert own.deliver({"delivery": fine.pk}, ctx) == "nothing to do"
