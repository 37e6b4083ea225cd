"""An open tab: what its script asks for every few seconds, and with what it has."""

import html
import re
from urllib.parse import urlencode

LIVE = re.compile(r'id="live-on"[^>]*?hx-get="([^"]+)"', re.S)
EVERY = re.compile(r'id="live-on"[^>]*?data-every="(\d+)"', re.S)
ROW = re.compile(r'id="(run_\w+)"[^>]*?data-live-row="([^"]*)"')
SENT = re.compile(r'data-send="([^"]+)"\s+data-value="([^"]*)"')


def seconds(text: str) -> int:
    """Between two ticks of a page; 0 where it has none."""
    found = EVERY.search(text)
    return int(found[1]) if found else 0


def tick(text: str, stale: int = 0) -> str:
    """The address a page asks for, as if `stale` of its rows had changed since; empty for none."""
    found = LIVE.search(text)
    if found is None:
        return ""
    place = html.unescape(found[1]).rstrip("?")
    asked = [(name, html.unescape(value)) for name, value in SENT.findall(text)]
    rows = enumerate(ROW.findall(text))
    asked += [
        ("have", f"{run}:{'0' if number < stale else token}") for number, (run, token) in rows
    ]
    return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"


HTMX = {"HX-Request": "true"}


def headers(address: str) -> dict[str, str]:
    """What the script says when it asks for a part of a page."""
    if address.endswith("?shared"):
        return HTMX | {"HX-Target": "shared"}
    return HTMX if address.startswith(("/runs/counts", "/runs/live")) else {}
