"""Middleware that takes requests of the API past what only pages need.

Sessions, messages, CSRF and templates play no part where a key says who calls, and going through them
takes longer than to trigger a run. A project without this middleware answers the same, slower.
"""

from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, URLResolver, get_resolver, get_urlconf

#: What the middleware left out says of pages; an answer in JSON shows and loads nothing.
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
}
#: Characters of a path whose endpoint is remembered: the longest task id, and what stands around it.
LONGEST = 300
Answer = Callable[[HttpRequest], HttpResponse]


def shortcut(get_response: Answer) -> Answer:
    """Call the endpoint at once where it asks for a key; everything else goes the long way."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "/api/" not in request.path_info:
            return get_response(request)
        try:
            found = _found(get_resolver(get_urlconf()), request.path_info)
        except Resolver404:
            return get_response(request)
        if not getattr(found.func, "is_keyed", False):
            return get_response(request)
        request.get_host()  # raises for one that is not ours
        request.resolver_match = found
        response: HttpResponse = found.func(request, *found.args, **found.kwargs)
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        if not response.streaming:
            response.setdefault("content-length", str(len(response.content)))
        return response

    return answer


def _found(resolver: URLResolver, path: str) -> ResolverMatch:
    """What answers to a path. Raises Resolver404."""
    return _remembered(resolver, path) if len(path) <= LONGEST else resolver.resolve(path)


@lru_cache(1024)
def _remembered(resolver: URLResolver, path: str) -> ResolverMatch:
    """Callers ask for the same few tasks: to look through the patterns costs as much as to sign in."""
    return resolver.resolve(path)
