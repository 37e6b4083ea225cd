"""URLs of a project that has Trackside below a path."""

from django.urls import include, path

urlpatterns = [path("ops/", include("dashboard.urls"))]
