"""httpx to Trackside's own API without a server: in the process, thread and transaction of a test."""

import httpx
from asgiref.sync import sync_to_async

from tests.support.contract import Checked


def answered(request: httpx.Request, content: bytes) -> httpx.Response:
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    kind = headers.pop("content-type", "application/json")
    path = request.url.raw_path.decode()
    found = Checked().generic(request.method, path, content, kind, headers=headers)
    return httpx.Response(found.status_code, headers=dict(found.items()), content=found.getvalue())


class InProcess(httpx.BaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return answered(request, request.read())


class AsyncInProcess(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        return await sync_to_async(answered, thread_sensitive=True)(request, content)
