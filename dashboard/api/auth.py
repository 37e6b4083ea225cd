"""Who calls: a bearer key and nothing else. Cookies are not looked at."""

from django.http import HttpRequest

from dashboard.api.errors import ApiError
from runs.lifecycle import apikeys
from runs.models import ApiKey


def caller(request: HttpRequest) -> ApiKey:
    """The live key of the request; raises a 401."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    key = apikeys.verify(text.strip()) if scheme.lower() == "bearer" and text.strip() else None
    if key is None:
        raise ApiError(
            401, "Invalid or Missing API key", headers={"www-authenticate": 'Bearer realm="api"'}
        )
    return key
