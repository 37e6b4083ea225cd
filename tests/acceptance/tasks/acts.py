"""Bodies that behave, slowly or quickly."""

import logging
import os
import time
from pathlib import Path

from _notes import note, noted  # type: ignore[import-not-found]

from engine import metadata, queue, retry, tags, task

ONCE = retry(max_attempts=1)
QUICK = retry(max_attempts=6, min_timeout=0.05, max_timeout=0.2)
narrow = queue("narrow", concurrency_limit=2, total_limit=3)
paced = queue("paced", rate_limit="20/1s")


@task(id="work", retry=QUICK)
def work(payload):
    with noted():
        time.sleep((payload or {}).get("seconds", 0))
    return payload


@task(id="narrow", retry=QUICK, queue=narrow)
def in_narrow(payload):
    with noted():
        time.sleep(payload["seconds"])


@task(id="paced", retry=QUICK, queue=paced)
def in_paced(payload):
    with noted():
        return payload


@task(id="newest", retry=QUICK, overlap="cancel_previous")
def newest(payload):
    """Runs until another one takes its place, or its file exists."""
    with noted():
        while not Path(payload["until"]).exists():
            time.sleep(0.01)


@task(id="hold", retry=QUICK)
def hold(payload):
    """Runs until its file exists; a body that is slow in as many pieces as it takes."""
    with noted():
        while not Path(payload["until"]).exists():
            time.sleep(0.01)
    return payload


@task(id="stubborn", retry=QUICK)
def stubborn(payload):
    """Swallows everything that wants to stop it, until its file exists."""
    with noted():
        while not Path(payload["until"]).exists():
            try:
                time.sleep(0.01)
            except BaseException:
                note("swallowed")


@task(id="flaky", retry=retry(max_attempts=3, factor=2, min_timeout=0.3, randomize=False))
def flaky(payload, ctx):
    with noted():
        if ctx.attempt.number <= payload["fail"]:
            raise ValueError(f"attempt {ctx.attempt.number}")
        return ctx.attempt.number


@task(id="talk", retry=ONCE)
def talk(payload):
    print("said hello")
    metadata.set("said", "hello")
    tags.add("talked")
    logging.getLogger("talk").warning("logged %s", "hello")
    while not Path(payload["until"]).exists():
        time.sleep(0.01)


@task(id="pid", retry=ONCE)
def pid(payload):
    with noted():
        return os.getpid()


@task(id="echo", retry=ONCE)
def echo(payload):
    with noted():
        return payload


@task(id="fail_because", retry=ONCE)
def fail_because(payload):
    try:
        raise KeyError("the reason")
    except KeyError as error:
        raise ValueError("told to fail") from error
