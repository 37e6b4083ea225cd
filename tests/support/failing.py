"""Runs that fail, and the groups of their errors."""

import json
from typing import Any

from runs.lifecycle import attempts, counting
from runs.models import ErrorGroup, Failure, Run
from runs.states import RunStatus
from tests.support import factories

BILLING = {"file": "/srv/app/tasks/billing.py", "line": 12, "function": "charge", "text": "pay()", "own": True}  # fmt: skip
LIBRARY = {"file": "/lib/site-packages/http.py", "line": 9, "function": "send", "own": False}


def error(message: str = "no card", name: str = "ValueError", **facts: Any) -> str:
    """A stored error of the author's code."""
    told = {"name": name, "message": message, "frames": [BILLING, LIBRARY]} | facts
    return json.dumps(told)


def failed_run(
    text: str = "",
    status: RunStatus = RunStatus.FAILED,
    version: str = "1",
    by: Any = None,
    **options: Any,
) -> Any:
    """A run that ended by this error, in this version."""
    factories.trigger(**options)
    return fail(version, by, text, status)


def fail(version: str = "1", by: Any = None, text: str = "", status: Any = RunStatus.FAILED) -> Any:
    """The next run fails for good."""
    one = factories.claim(by or factories.session(version=version))[0]
    factories.start(one, version=version)
    factories.finish(attempts.fail(*one.lease, text or error(), status))
    return one.run


def recovered_run(text: str = "", output: str = '"done"', **options: Any) -> Any:
    """A run that failed once and then succeeded."""
    factories.trigger(**options)
    by = factories.session()
    for ending in (retry_of(text), lambda one: attempts.complete(*one.lease, output)):
        one = factories.claim(by)[0]
        factories.start(one)
        factories.finish(ending(one))
    return Run.objects.get(pk=one.run_id)


def retry_of(text: str) -> Any:
    return lambda one: attempts.retry(*one.lease, text or error(), 0.0)


def group_of(run: Any) -> Any:
    """The group of a run's last failure, up to date."""
    while counting.count_failures():
        pass
    last = Failure.objects.filter(run_id=run.pk).order_by("-attempt").first()
    assert last is not None
    return ErrorGroup.objects.get(pk=last.fingerprint)
