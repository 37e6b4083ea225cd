"""Trackside's own URLs, to be included anywhere: `path("trackside/", include("dashboard.urls"))`."""

from django.urls import include, path

urlpatterns = [
    path("", include("dashboard.monitoring.urls")),
    path("", include("dashboard.accounts.urls")),
    path("", include("dashboard.api.urls")),
    path("", include("dashboard.realtime.urls")),
    path("", include("dashboard.pages.urls")),
]
