"""The ASGI application: `uvicorn dashboard.asgi:application`."""

import os
import warnings
from typing import Any, cast

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.bodylimit import limit_bodies
from dashboard.realtime import realtime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
# Settings give a web process a connection pool and short statement timeouts.
os.environ.setdefault("TRACKSIDE_PROCESS", "web")

# Static files are small and cached; Django reads them whole, which is what we want.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")


class Handler(ASGIHandler):
    """Django's, answering a request in one thread from the first middleware to the last.

    As shipped it goes back and forth between loop and thread twice for every middleware.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


django.setup(set_prefix=False)
application = realtime(limit_bodies(cast(Any, Handler())))
