"""Bodies that call others: child runs and a service."""

import os

from _notes import noted  # type: ignore[import-not-found]

from engine import retry, span, step, task

ONCE = retry(max_attempts=1)


@task(id="calling", retry=ONCE)
def calling(url):
    with noted(), span("call"):
        return retry.fetch(url).status_code


@task(id="tracing", retry=ONCE)
def tracing(url):
    with span("fan out", url=url):
        step("prepare", lambda: None)
        return calling.trigger_and_wait(url).unwrap()


@tracing.on_success
def told(): ...


@task(id="doomed", retry=ONCE)
def doomed():
    with span("fatal"):
        os._exit(3)
