"""schemathesis asks every operation of the document what it may be asked, and what it may not.

No answer is a 500, none has a status, a content type or a body that the document does not tell.
"""

import copy
from contextlib import suppress
from datetime import timedelta
from itertools import count

import httpx
import pytest
import requests
import schemathesis
from django.core.cache import cache
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard.openapi import served
from tests.support import factories
from tests.support.contract import closed
from tests.support.inprocess import answered

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: Of one operation, as many as they should be and as they should not.
SETTINGS = settings(
    max_examples=3,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NDJSON = "application/x-ndjson"
SENT = ["method", "url", "headers", "params", "json", "data", "files", "cookies"]
HOST = "http://testserver"


def document():
    """The document, strict about answers, with each view at one of its addresses."""
    whole = copy.deepcopy(served.whole())
    whole["components"]["schemas"] = closed(whole["components"]["schemas"])
    twins = {route.path for route in served.known() if route.twin}
    whole["paths"] = {path: one for path, one in whole["paths"].items() if path not in twins}
    for one in whole["paths"].values():
        content = one.get("post", {}).get("requestBody", {}).get("content", {})
        if lines := content.pop(NDJSON, None):
            # one line is JSON, which schemathesis can make
            content["application/json"] = {"schema": lines["x-line"]}
    # whatever the document says of a body of any kind, nothing could be wrong with it
    whole["paths"].pop("/webhooks/{path}")
    # these are held open in front of Django
    whole["paths"] = {path: one for path, one in whole["paths"].items() if "realtime" not in path}
    return whole


def operations():
    schema = schemathesis.openapi.from_dict(document())
    return [found.ok() for found in schema.get_all_operations()]


@pytest.fixture
def known(api):
    """Names of things that are there, for the places where an address names one."""
    factories.task("hello")
    run = factories.ended_run()
    waiting = api.trigger("hello", {"options": {"delay": "1h"}}).json()["id"]
    batch = api.post("/api/v3/batches", {"runCount": 2}).json()["id"]
    token = api.post("/api/v1/waitpoints/tokens", {}).json()["id"]
    return {
        "run_id": [run.pk, waiting],
        "batch_id": [batch],
        "token_id": [token],
        "task_id": ["hello"],
        "name": ["task/hello"],
    }


def asked(case, headers):
    """The answer to `case`, as what the checks read."""
    words = case.as_transport_kwargs(base_url=HOST)
    words["headers"] = {**words.get("headers", {}), **headers}
    words = {name: words[name] for name in SENT if name in words}
    made = requests.Request(**words).prepare()
    if made.path_url.endswith("/items") and "content-type" in made.headers:
        made.headers["content-type"] = NDJSON
    content = made.body.encode() if isinstance(made.body, str) else made.body or b""
    request = httpx.Request(made.method, made.url, headers=dict(made.headers), content=content)
    answer = answered(request, content)
    answer.request = request
    answer.elapsed = timedelta()
    return answer


@pytest.mark.django_db
@pytest.mark.parametrize("operation", operations(), ids=lambda one: one.label)
def test_answers_what_the_document_says(operation, api, known):
    numbers = count()

    def ask(case):
        number = next(numbers)
        for name in case.path_parameters or {}:
            if number % 4 and name in known:
                case.path_parameters[name] = known[name][number % len(known[name])]
        cache.clear()
        case.validate_response(asked(case, api.headers), checks=CHECKS)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        cases = operation.as_strategy(generation_mode=mode)
        # some take everything, so that nothing can be wrong with a request
        with suppress(Unsatisfiable):
            SETTINGS(given(case=cases)(ask))()
    assert next(numbers)
