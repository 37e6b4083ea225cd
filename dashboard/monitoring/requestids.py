"""Request ids: of whoever called, in every line of the log about the request, and in the answer."""

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from runs import logformat

HEADER = "X-Request-ID"
#: What is taken over as it came; anything else could forge lines of a log.
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
#: Answers that Django logs.
LOGGED = 400
Answer = Callable[[HttpRequest], HttpResponseBase]


def request_ids(get_response: Answer) -> Answer:
    """Middleware. A request without an id gets one when the log first speaks of it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        asked = logformat.Request(given if given and SANE.fullmatch(given) else "")
        # not taken back: Django speaks of an answer only after it came out of all middleware
        logformat.request.set(asked)
        response = get_response(request)
        if response.status_code >= LOGGED:
            asked.named()
        if asked.id:
            response[HEADER] = asked.id
        return response

    return answer
