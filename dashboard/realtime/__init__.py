"""Runs and streams as they change: an ASGI application in front of Django's.

A subscriber waits for most of its life and must not hold a thread meanwhile.
"""

from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.utils.module_loading import import_string

#: In every path that is answered here, whatever the project puts in front of it.
MARK = "/realtime/v1/"


def realtime(app: Any) -> Any:
    """`app`, with what is under `realtime/v1/` answered in front of it.

    In the `asgi.py` of a project that includes `dashboard.urls`:

        application = realtime(get_asgi_application())
    """

    async def application(
        scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        # looked up late: an asgi.py imports this before Django is set up
        is_ours = MARK in str(scope.get("path", "")) and await import_string(ANSWER)(
            scope, receive, send
        )
        if not is_ours:
            await app(scope, receive, send)

    return application


ANSWER = "dashboard.realtime.application.answer"
