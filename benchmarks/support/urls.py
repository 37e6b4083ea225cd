"""The ready project's URLs, and an empty JSON view beside them."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def empty(request: HttpRequest) -> JsonResponse:
    """What a request costs that does nothing."""
    return JsonResponse({})


urlpatterns = [path("empty", empty), path("", include("dashboard.site"))]
