"""What we are made of: pinned by its hash, and asked for known vulnerabilities."""

import json
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support import advisories
from tests.support.advisories import ALL, ROOT, RUNTIME, audited, bill, main, pins

pytestmark = pytest.mark.once

LOCKS = ("requirements.lock", "requirements-otel.lock", "requirements-dev.lock")
ADVISORY = {
    "id": "TEST-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "It lets anybody in.",
    "affected": [
        {
            "package": {"name": "click", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


@contextmanager
def service(*vulnerable):
    """Advisories of these packages, as the service tells them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            told = {"vulns": [{"id": "TEST-1", "modified": ADVISORY["modified"]}]}
            names = [one["package"]["name"] for one in asked]
            self.answer({"results": [told if name in vulnerable else {} for name in names]})

        def do_GET(self):
            self.answer(ADVISORY)

        def answer(self, document):
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_known_vulnerability_fails(capsys):
    with service("click") as address:
        assert main([address]) == 1
    told = capsys.readouterr().out
    assert re.search(r"^click [0-9.]+: TEST-1 It lets anybody in. \(mended in 99\)$", told, re.M)
    assert "packages have 1 known" in told


def test_none_is_fine(capsys):
    with service() as address:
        assert main([address]) == 0
    assert f"{len(pins(ALL))} packages have no known" in capsys.readouterr().out


def test_a_service_that_is_away_is_said_and_fails_nothing(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main([f"http://127.0.0.1:{port}"]) == 0
    assert "was not reached" in capsys.readouterr().out


def test_one_that_does_not_concern_us_is_left_out(monkeypatch):
    monkeypatch.setattr(advisories, "IGNORED", {"TEST-1": "We never call it."})
    with service("click") as address:
        assert audited(pins(ALL), address).lines == []


def test_the_bill_of_materials_has_every_package():
    told = json.loads(bill(pins(RUNTIME)))
    assert told["bomFormat"] == "CycloneDX"
    listed = {(one["name"], one["version"]) for one in told["components"]}
    assert listed == set(pins(RUNTIME))
    assert "://" not in "".join(one["purl"] for one in told["components"])


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_installed_is_pinned_by_its_hash(lock):
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.M)[1:]
    assert len(entries) == len(pins(ROOT / lock)) > 30
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_the_audit_is_part_of_the_checks():
    assert "make audit" in (ROOT / ".ci" / "run").read_text()


def test_pages_load_nothing_from_elsewhere():
    files = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static").rglob("*.css")]
    loaded = re.compile(
        r"""(?:src|<link[^>]*href)=["']?(?:https?:)?//|@import|url\(["']?(?:https?:)?//"""
    )
    assert not [str(path) for path in files if loaded.search(path.read_text())]
