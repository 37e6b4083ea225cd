"""The ASGI application: `uvicorn dashboard.asgi:application`."""

import os
import warnings
from typing import Any, cast

from django.core.asgi import get_asgi_application

from dashboard.bodylimit import limit_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
# Settings give a web process a connection pool and short statement timeouts.
os.environ.setdefault("TRACKSIDE_PROCESS", "web")

# Static files are small and cached; Django reads them whole, which is what we want.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")

application = limit_bodies(cast(Any, get_asgi_application()))
