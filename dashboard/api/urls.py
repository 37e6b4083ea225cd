"""Placeholder until the URLs of this part arrive."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
