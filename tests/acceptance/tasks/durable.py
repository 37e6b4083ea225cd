"""Bodies that wait."""

from _notes import note  # type: ignore[import-not-found]

from engine import queue, retry, step, task, tasks, wait

QUICK = retry(max_attempts=6, min_timeout=0.05, max_timeout=0.2)
one_lane = queue("one-lane", concurrency_limit=1)
TWO = [{"task": "child", "payload": number} for number in range(2)]


def noted_step(name):
    step(name, lambda: note("step", name=name))


@task(id="saga", retry=QUICK)
def saga(payload):
    noted_step("before")
    decision = wait.for_token(payload["token"]).unwrap()
    noted_step("between")
    wait(1.1)
    noted_step("after")
    return decision


@task(id="chain", retry=QUICK, queue=one_lane)
def chain(payload):
    """Waits for a run of its own task, and so on down; all in a queue of one."""
    noted_step("down")
    if payload == 0:
        wait(1.1)
        return 1
    return 1 + tasks.trigger_and_wait("chain", payload - 1).unwrap()


@task(id="many-children", retry=QUICK)
def many_children(payload):
    note("begin")
    return [tasks.trigger_and_wait("child", number).unwrap() for number in range(payload)]


@task(id="asks", retry=QUICK)
def asks(payload):
    """Waits for each of some tokens, and for a batch after each."""
    note("begin")
    for token in payload["tokens"]:
        wait.for_token(token).unwrap()
        tasks.batch_trigger_and_wait(TWO).unwrap()
    return len(payload["tokens"])


@task(id="async-asks", retry=QUICK)
async def async_asks(payload):
    """The same, suspended where it waits."""
    note("begin")
    for token in payload["tokens"]:
        (await wait.for_token(token)).unwrap()
        (await tasks.batch_trigger_and_wait(TWO)).unwrap()
    return len(payload["tokens"])


@task(id="child", retry=QUICK)
def child(payload):
    note("child", number=payload)
    return payload


@task(id="async-chain", retry=QUICK)
async def async_chain(payload):
    await wait(1.1)
    result = await tasks.trigger_and_wait("work", {"seconds": 0})
    return result.ok
