"""A client that costs little beside the servers it measures: one socket and one request, again and again."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit


class Refusal(Exception):
    """An answer that is no 200."""


def requests(address: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The whole text of a POST that keeps its connection."""
    lines = [f"POST {path} HTTP/1.1", f"host: {urlsplit(address).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["content-type: application/json", f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def hammer(address: str, request: bytes, connections: int, count: int) -> tuple[float, list[float]]:
    """Requests per second, and the milliseconds each took; `count` of them on all connections."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        parts = pool.map(
            lambda _: _one_connection(address, request, count // connections), range(connections)
        )
        samples = [sample for part in parts for sample in part]
    return len(samples) / (time.perf_counter() - begun), samples


def _one_connection(address: str, request: bytes, count: int) -> list[float]:
    parts, samples = urlsplit(address), []
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            begun = time.perf_counter()
            link.sendall(request)
            _read(link)
            samples.append(1000 * (time.perf_counter() - begun))
    return samples


def _read(link: socket.socket) -> None:
    text = b""
    while b"\r\n\r\n" not in text:
        text += _more(link, text)
    head, _, body = text.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Refusal(text.decode(errors="replace"))
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    while len(body) < length:
        body += _more(link, body)


def _more(link: socket.socket, had: bytes) -> bytes:
    if got := link.recv(65536):
        return got
    raise Refusal(f"The connection was closed after {had!r:.200}")
