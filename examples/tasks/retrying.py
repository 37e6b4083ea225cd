"""Trying again: a block, an HTTP request, by the kind of error, on a larger machine."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine import Context, OutOfMemoryError, logger, retry, task


@task(id="retry-a-block")
def retry_a_block(payload) -> str:
    """Try one block again in the middle of a body, without losing what was done before it."""
    logger.info("this part runs once")

    def ask(attempt: int, max_attempts: int) -> str:
        logger.info("asking", attempt=attempt, of=max_attempts)
        if random.random() > (payload or {}).get("chance", 0.5):
            raise ConnectionError("the service did not answer")
        return f"answered try {attempt}"

    return retry.on_throw(ask, max_attempts=8, min_timeout=0.1, max_timeout=1)


@task(id="fetch-orders", max_duration="1m")
def fetch_orders() -> dict[str, object]:
    """Fetch from a service that is busy, then limits, then answers (it runs inside the task)."""
    with service() as address:
        response = retry.fetch(
            f"{address}/orders",
            timeout="5s",
            retry={
                "by_status": {
                    "429": {
                        "strategy": "headers",
                        "reset_header": "x-ratelimit-reset",
                        "reset_format": "unix_timestamp_in_ms",
                    },
                    "5xx": {"max_attempts": 5, "min_timeout": 0.2},
                },
                "connection_error": {"max_attempts": 3},
                "timeout": {"max_attempts": 2},
            },
        )
    return {"status": response.status_code, "orders": response.json()}


@task(
    id="picky-retries",
    retry=retry(max_attempts=4, min_timeout=0.5, only=[OSError], never=[PermissionError]),
)
def picky_retries(payload) -> None:
    """Retry a lost connection, but no lack of permission and no mistake of ours."""
    errors = {"connection": ConnectionError, "permission": PermissionError, "mistake": ValueError}
    raise errors[(payload or {}).get("error", "connection")]("no")


@task(
    id="render-poster",
    machine="micro",
    retry=retry(max_attempts=2, min_timeout=0.5, out_of_memory={"machine": "medium-1x"}),
)
def render_poster(payload, ctx: Context) -> str:
    """Run out of memory on a small machine, and be tried again on a larger one."""
    if ctx.machine.memory < 1:
        raise OutOfMemoryError(f"{ctx.machine.memory} GB are too little for a poster")
    return f"rendered on {ctx.machine.name}"


class Busy(BaseHTTPRequestHandler):
    """Answers 503, then 429 with the moment of the reset, then with orders."""

    answered = 0

    def do_GET(self) -> None:
        Busy.answered += 1
        status = {1: 503, 2: 429}.get(Busy.answered, 200)
        logger.info("the service answers", status=status)
        self.send_response(status)
        self.send_header("x-ratelimit-reset", str(int((time.time() + 0.5) * 1000)))
        self.end_headers()
        self.wfile.write(b'["tea", "milk"]')

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@contextmanager
def service() -> Iterator[str]:
    """A service on this machine for as long as it is needed."""
    Busy.answered = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
