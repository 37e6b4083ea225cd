"""The product's addresses, and a view that does nothing: what the stack itself costs."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def empty(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [path("empty", empty), path("", include("dashboard.site"))]
