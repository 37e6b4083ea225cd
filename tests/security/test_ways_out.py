"""Where Trackside sends people and its own requests: nowhere that somebody else chose."""

import socket
from itertools import product
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client

from engine.alerts import addresses, sending
from engine.alerts.addresses import Forbidden
from engine.alerts.sending import NotDelivered
from runs.errors import InvalidOption
from runs.lifecycle import alerts
from tests.support.rows import make_user

pytestmark = pytest.mark.once

PUBLIC = "93.184.216.34"
#: Spellings of other sites that browsers follow and parsers overlook.
ELSEWHERE = [
    "https://evil.example", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example",
    "\\\\evil.example", "\\/evil.example", "https:evil.example", "https:/evil.example", "http:///evil.example",
    "//evil.example\\@testserver", "https://testserver@evil.example", "https://testserver.evil.example",
    "javascript:alert(1)", "data:text/html,x", " //evil.example", "\t//evil.example", "/\t/evil.example",
    "\x01//evil.example", "//\u2028evil.example", "http://[::ffff:1.2.3.4]", "https://evil.example%00/",
    "//evil%E3%80%82example", "https://\uff45vil.example",
]  # fmt: skip
LOCAL = ["127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.100.100.200", "192.0.0.1", "198.19.0.1", "255.255.255.255", "224.0.0.1", "240.0.0.1", "168.63.129.16", "192.88.99.1"]  # fmt: skip
LOCAL6 = ["::1", "::", "fe80::1", "fec0::1", "fd00:ec2::254", "fc00::1", "ff02::1", "64:ff9b:1::7f00:1", "::7f00:1", "2001::1", "2001:db8::1", "100::1"]  # fmt: skip


@pytest.mark.parametrize("wanted", ELSEWHERE)
@pytest.mark.django_db
def test_a_login_leads_nowhere_else(wanted):
    make_user("vera", "view_run")
    client = Client()
    page = client.get("/login/", {"next": wanted}).content.decode()
    assert 'name="next" value=""' in page
    sent = {"username": "vera", "password": "a-good-password", "next": wanted}
    assert client.post("/login/", sent).headers["Location"] == "/"
    assert (
        client.post("/preferences", {"next": wanted, "theme": "dark"}).headers["Location"][0] == "/"
    )
    assert not is_elsewhere(client.post("/preferences", {"next": wanted}).headers["Location"])
    assert not is_elsewhere(client.get("/jump", {"q": wanted}).headers.get("Location", "/"))


def is_elsewhere(address):
    plain = address.replace("\\", "/").strip()
    return plain.startswith("//") or bool(urlsplit(plain).netloc)


@pytest.fixture
def names(monkeypatch):
    """A name server: `names("10.0.0.1", "::1")` is all it answers, a list for each question."""

    def answer(*answers):
        asked = iter(answers)
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, **_: [(0, 0, 0, "", (ip, port)) for ip in next(asked)],
        )

    return answer


@pytest.mark.parametrize("address", LOCAL + LOCAL6)
def test_no_name_leads_into_our_own_network(names, address):
    names([address])
    with pytest.raises(Forbidden, match="not a public address"):
        addresses.resolved("hook.example", 443)


@pytest.mark.parametrize(
    ("form", "address"), list(product(("::ffff:{}", "64:ff9b::{}", "2002:{}::1"), LOCAL))
)
def test_nor_in_the_clothes_of_another_family(names, form, address):
    parts = [int(part) for part in address.split(".")]
    coded = f"{parts[0] << 8 | parts[1]:x}:{parts[2] << 8 | parts[3]:x}"
    names([form.format(coded)])
    with pytest.raises(Forbidden):
        addresses.resolved("hook.example", 443)


@pytest.mark.parametrize(("address", "allowed"), [(PUBLIC, True), ("2606:2800:220:1::1", True), ("::ffff:93.184.216.34", True)])  # fmt: skip
def test_public_addresses_are_reached(names, address, allowed):
    names([address])
    assert addresses.resolved("hook.example", 443) == str(addresses.ip_address(address))


@pytest.mark.parametrize(("port", "allowed"), [(80, True), (443, True), (8443, True), (22, False), (25, False), (53, False), (389, False), (0, False)])  # fmt: skip
def test_ports_are_those_of_web_servers(names, port, allowed):
    names([PUBLIC])
    if allowed:
        assert addresses.resolved("hook.example", port) == PUBLIC
        return
    with pytest.raises(Forbidden, match=f"Port {port} is none of a web server"):
        addresses.resolved("hook.example", port)


def test_a_network_that_is_named_may_be_anything(names, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ALERT_NETWORKS": ["10.0.0.0/8"]}
    names(["10.1.2.3"])
    assert addresses.resolved("hook.example", 25) == "10.1.2.3"


def test_what_is_connected_to_is_what_was_looked_at(names, monkeypatch):
    """A name server that answers otherwise the second time is not asked a second time."""
    names([PUBLIC], ["127.0.0.1"])
    sent = []

    def transport(self, request, **_):
        sent.append(request)
        return httpx.Response(302, headers={"location": "http://127.0.0.1/"}, request=request)

    monkeypatch.setattr(httpx.Client, "send", transport)
    with pytest.raises(NotDelivered, match="answered 302"):
        sending._post("https://hook.example/x?y=1", "{}", {})
    (request,) = sent
    assert str(request.url) == f"https://{PUBLIC}/x?y=1"
    assert request.headers["host"] == "hook.example"
    assert request.extensions["sni_hostname"] == "hook.example"


@pytest.mark.parametrize("url", ["https://user:pass@hook.example/", "ftp://hook.example/", "file:///etc/passwd", "gopher://x", "//hook.example", "https://", "https://hook.example:0/", "https://hook.example:99999/"])  # fmt: skip
@pytest.mark.django_db
def test_what_is_no_web_address_is_refused_at_once(url):
    with pytest.raises(InvalidOption):
        alerts.save_channel("x", "webhook", url, secret="s" * 16, actor="user:ada")
