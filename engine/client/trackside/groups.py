"""The calls by their groups, once for threads and once for event loops."""

from trackside.binding import AsyncBound, Bound, aeach, aonce, each, once
from trackside.calls import (
    access,
    bulk,
    envvars,
    live,
    queues,
    runs,
    schedules,
    streams,
    tasks,
    tokens,
    upkeep,
)


class Tasks(Bound):
    """Trigger tasks, list and pause them."""

    trigger = once(tasks.trigger)
    batch_trigger = once(tasks.batch_trigger)
    trigger_and_wait = once(tasks.trigger_and_wait)
    list = each(upkeep.tasks)
    pause = once(upkeep.pause_task)
    resume = once(upkeep.resume_task)


class Batches(Bound):
    """Batches of several tasks."""

    trigger = once(tasks.batch)
    retrieve = once(tasks.retrieve_batch)
    results = once(tasks.batch_results)
    subscribe = each(live.batch)


class Runs(Bound):
    """Look at runs and act on them."""

    retrieve = once(runs.retrieve)
    list = each(runs.every)
    poll = once(runs.poll)
    wait = once(runs.wait)
    cancel = once(runs.cancel)
    replay = once(runs.replay)
    reschedule = once(runs.reschedule)
    edit = once(upkeep.edit)
    unlock = once(upkeep.unlock)
    purge = once(upkeep.purge)
    purgeable = once(upkeep.purgeable)
    add_tags = once(runs.add_tags)
    metadata = once(runs.metadata)
    update_metadata = once(runs.update_metadata)
    result = once(runs.result)
    trace = once(runs.trace)
    events = once(runs.events)
    payload = once(runs.payload)
    output = once(runs.output)
    subscribe = each(live.run)
    subscribe_to_tag = each(live.tagged)


class Streams(Bound):
    """What runs give out while they execute, and what they are sent."""

    keys = once(streams.keys)
    read = each(streams.read)
    chunks = each(streams.chunks)
    messages = each(streams.messages)
    append = once(streams.append)
    write = once(streams.write)
    send = once(streams.send)


class Schedules(Bound):
    """What runs by the clock."""

    create = once(schedules.create)
    retrieve = once(schedules.retrieve)
    update = once(schedules.update)
    activate = once(schedules.activate)
    deactivate = once(schedules.deactivate)
    delete = once(schedules.delete)
    timezones = once(schedules.timezones)
    list = each(schedules.every)


class Queues(Bound):
    """Queues and their limits."""

    retrieve = once(queues.retrieve)
    pause = once(queues.pause)
    resume = once(queues.resume)
    pause_all = once(upkeep.pause_all)
    resume_all = once(upkeep.resume_all)
    override = once(queues.override)
    reset = once(queues.reset)
    list = each(queues.every)


class Tokens(Bound):
    """Wait tokens."""

    create = once(tokens.create)
    complete = once(tokens.complete)
    fail = once(tokens.fail)
    retrieve = once(tokens.retrieve)
    list = each(tokens.every)


class EnvVars(Bound):
    """Environment variables of the tasks."""

    list = once(envvars.every)
    retrieve = once(envvars.retrieve)
    create = once(envvars.create)
    update = once(envvars.update)
    delete = once(envvars.delete)
    upload = once(envvars.upload)
    upload_text = once(envvars.upload_text)


class IdempotencyKeys(Bound):
    """Keys that make one run of many triggers."""

    reset = once(access.reset_key)


class ApiKeys(Bound):
    """Keys of other programs."""

    list = each(upkeep.keys)
    create = once(upkeep.create_key)
    revoke = once(upkeep.revoke_key)


class Auth(Bound):
    """Tokens for browsers."""

    create_public_token = once(access.create_public_token)


class BulkActions(Bound):
    """Cancel or replay many runs."""

    create = once(bulk.create)
    retrieve = once(bulk.retrieve)
    abort = once(bulk.abort)
    list = each(bulk.every)


class AsyncTasks(AsyncBound):
    """Trigger tasks, list and pause them."""

    trigger = aonce(tasks.trigger)
    batch_trigger = aonce(tasks.batch_trigger)
    trigger_and_wait = aonce(tasks.trigger_and_wait)
    list = aeach(upkeep.tasks)
    pause = aonce(upkeep.pause_task)
    resume = aonce(upkeep.resume_task)


class AsyncBatches(AsyncBound):
    """Batches of several tasks."""

    trigger = aonce(tasks.batch)
    retrieve = aonce(tasks.retrieve_batch)
    results = aonce(tasks.batch_results)
    subscribe = aeach(live.batch)


class AsyncRuns(AsyncBound):
    """Look at runs and act on them."""

    retrieve = aonce(runs.retrieve)
    list = aeach(runs.every)
    poll = aonce(runs.poll)
    wait = aonce(runs.wait)
    cancel = aonce(runs.cancel)
    replay = aonce(runs.replay)
    reschedule = aonce(runs.reschedule)
    edit = aonce(upkeep.edit)
    unlock = aonce(upkeep.unlock)
    purge = aonce(upkeep.purge)
    purgeable = aonce(upkeep.purgeable)
    add_tags = aonce(runs.add_tags)
    metadata = aonce(runs.metadata)
    update_metadata = aonce(runs.update_metadata)
    result = aonce(runs.result)
    trace = aonce(runs.trace)
    events = aonce(runs.events)
    payload = aonce(runs.payload)
    output = aonce(runs.output)
    subscribe = aeach(live.run)
    subscribe_to_tag = aeach(live.tagged)


class AsyncStreams(AsyncBound):
    """What runs give out while they execute, and what they are sent."""

    keys = aonce(streams.keys)
    read = aeach(streams.read)
    chunks = aeach(streams.chunks)
    messages = aeach(streams.messages)
    append = aonce(streams.append)
    write = aonce(streams.write)
    send = aonce(streams.send)


class AsyncSchedules(AsyncBound):
    """What runs by the clock."""

    create = aonce(schedules.create)
    retrieve = aonce(schedules.retrieve)
    update = aonce(schedules.update)
    activate = aonce(schedules.activate)
    deactivate = aonce(schedules.deactivate)
    delete = aonce(schedules.delete)
    timezones = aonce(schedules.timezones)
    list = aeach(schedules.every)


class AsyncQueues(AsyncBound):
    """Queues and their limits."""

    retrieve = aonce(queues.retrieve)
    pause = aonce(queues.pause)
    resume = aonce(queues.resume)
    pause_all = aonce(upkeep.pause_all)
    resume_all = aonce(upkeep.resume_all)
    override = aonce(queues.override)
    reset = aonce(queues.reset)
    list = aeach(queues.every)


class AsyncTokens(AsyncBound):
    """Wait tokens."""

    create = aonce(tokens.create)
    complete = aonce(tokens.complete)
    fail = aonce(tokens.fail)
    retrieve = aonce(tokens.retrieve)
    list = aeach(tokens.every)


class AsyncEnvVars(AsyncBound):
    """Environment variables of the tasks."""

    list = aonce(envvars.every)
    retrieve = aonce(envvars.retrieve)
    create = aonce(envvars.create)
    update = aonce(envvars.update)
    delete = aonce(envvars.delete)
    upload = aonce(envvars.upload)
    upload_text = aonce(envvars.upload_text)


class AsyncIdempotencyKeys(AsyncBound):
    """Keys that make one run of many triggers."""

    reset = aonce(access.reset_key)


class AsyncApiKeys(AsyncBound):
    """Keys of other programs."""

    list = aeach(upkeep.keys)
    create = aonce(upkeep.create_key)
    revoke = aonce(upkeep.revoke_key)


class AsyncAuth(AsyncBound):
    """Tokens for browsers."""

    create_public_token = aonce(access.create_public_token)


class AsyncBulkActions(AsyncBound):
    """Cancel or replay many runs."""

    create = aonce(bulk.create)
    retrieve = aonce(bulk.retrieve)
    abort = aonce(bulk.abort)
    list = aeach(bulk.every)
