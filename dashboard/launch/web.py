"""The web child: serves the project's ASGI application on the socket it inherits."""

import gc
import os
import socket
import sys
from importlib import import_module
from importlib.util import find_spec

import uvicorn
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

from dashboard.realtime import realtime

#: Requests may finish this long after we were asked to stop.
GRACE_SECONDS = 5


def application() -> object:
    """The ASGI application of the project we run in, with its static files while it debugs.

    Around it what holds realtime requests, whether or not the project has it there.
    """
    found = import_string(name()) if name() else get_asgi_application()
    debugging = settings.DEBUG and "django.contrib.staticfiles" in settings.INSTALLED_APPS
    return realtime(ASGIStaticFilesHandler(found) if debugging else found)


def name() -> str:
    """The setting ASGI_APPLICATION, else the `asgi` module beside the settings, else nothing."""
    if named := getattr(settings, "ASGI_APPLICATION", ""):
        return str(named)
    module = os.environ["DJANGO_SETTINGS_MODULE"].rpartition(".")[0] + ".asgi"
    return f"{module}.application" if not module.startswith(".") and find_spec(module) else ""


def keep_what_stays() -> None:
    """Load all views, and let the garbage collector look at nothing of that ever again.

    Going through it took a tenth of what a trigger costs.
    """
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()


def main(descriptor: int) -> None:
    """Serve until SIGTERM."""
    os.environ.setdefault("TRACKSIDE_PROCESS", "web")
    config = uvicorn.Config(
        application(),  # type: ignore[arg-type]  # any ASGI callable
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    keep_what_stays()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
