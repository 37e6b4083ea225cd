"""A store that speaks as much S3 as packets need, on this machine: objects in memory, no check of keys."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Objects = dict[str, tuple[str, bytes]]


class Handler(BaseHTTPRequestHandler):
    objects: Objects
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        self.objects[self.key] = (self.headers.get("content-type", ""), content)
        self.answer(200)

    def do_GET(self) -> None:
        if "prefix" in parse_qs(urlsplit(self.path).query, keep_blank_values=True):
            self.answer(200, "application/xml", self.listing())
        else:
            self.answer(*self.found())

    def do_HEAD(self) -> None:
        status, kind, content = self.found()
        self.answer(status, kind, content, says=False)

    def do_DELETE(self) -> None:
        self.objects.pop(self.key, None)
        self.answer(204)

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path)

    def found(self) -> tuple[int, str, bytes]:
        if self.key in self.objects:
            return (200, *self.objects[self.key])
        return 404, "application/xml", b"<Error><Code>NoSuchKey</Code></Error>"

    def listing(self) -> bytes:
        """What stands directly below a prefix."""
        prefix = parse_qs(urlsplit(self.path).query, keep_blank_values=True)["prefix"][0]
        start = f"{self.key.rstrip('/')}/{prefix}"
        below = [key.removeprefix(start) for key in sorted(self.objects) if key.startswith(start)]
        folders = {name.partition("/")[0] for name in below if "/" in name}
        found = [
            f"<Contents><Key>{escape(prefix + name)}</Key></Contents>"
            for name in below
            if "/" not in name
        ]
        found += [
            f"<CommonPrefixes><Prefix>{escape(prefix + name)}/</Prefix></CommonPrefixes>"
            for name in folders
        ]
        inside = f"<IsTruncated>false</IsTruncated>{''.join(found)}"
        return f"<ListBucketResult>{inside}</ListBucketResult>".encode()

    def answer(
        self, status: int, kind: str = "", content: bytes = b"", *, says: bool = True
    ) -> None:
        self.send_response(status)
        if kind:
            self.send_header("content-type", kind)
        self.send_header("last-modified", "Tue, 01 Jan 2030 00:00:00 GMT")
        self.send_header("etag", '"0"')
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if says:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[tuple[str, Objects]]:
    """Its address, and what is in it by path: `/bucket/key`."""
    objects: Objects = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"objects": objects}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", objects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
