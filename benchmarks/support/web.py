"""The web server as `manage.py up` starts it, with an empty JSON view beside Trackside's own."""

import sys

from django.conf import settings

from dashboard.launch import web

if __name__ == "__main__":
    settings.ROOT_URLCONF = "benchmarks.support.urls"
    web.main(int(sys.argv[1]))
