"""The ASGI application: `uvicorn dashboard.asgi:application`."""

import os
import warnings
from typing import Any, cast

import django
from django.core.exceptions import ImproperlyConfigured

from dashboard.asgihandler import Handler
from dashboard.bodylimit import limit_bodies
from dashboard.monitoring import traces
from dashboard.monitoring.probes import living
from dashboard.realtime import realtime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
# Settings give a web process a connection pool and short statement timeouts.
os.environ.setdefault("TRACKSIDE_PROCESS", "web")

# Static files are small and cached; Django reads them whole, which is what we want.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")


try:
    django.setup(set_prefix=False)
except ImproperlyConfigured as error:
    raise SystemExit(str(error)) from None  # a sentence, and no traceback
traces.begin()
application = living(realtime(limit_bodies(cast(Any, Handler()))))
