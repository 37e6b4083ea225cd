"""Trackside below a path of another project."""

from django.urls import include, path

urlpatterns = [path("ops/", include("dashboard.site"))]
