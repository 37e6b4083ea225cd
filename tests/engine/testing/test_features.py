"""What else a task may ask for works in tests as well."""

from datetime import timedelta

from engine import batch, logger, step, task, tasks, wait


def test_a_rate_limit_spaces_starts_and_the_clock_jumps(trackside):
    @task(id="mail", queue={"rate_limit": "1/1m"})
    def mail(payload: int) -> int:
        return payload

    began = trackside.clock.now()
    assert [trackside.run(mail, number).output for number in range(3)] == [0, 1, 2]
    assert timedelta(minutes=2) <= trackside.clock.now() - began < timedelta(minutes=3)


def test_a_run_that_must_not_overlap_starts_after_the_other(trackside):
    @task(id="sync", overlap="queue_one")
    def sync(payload: int) -> int:
        wait("1h")
        return payload

    first = trackside.run(sync, 1, until="wait")
    second = trackside.trigger(sync, 2)
    trackside.drain()
    assert (first.status, second.is_final) == ("WAITING", False)
    trackside.finish(second)
    assert (first.output, second.output) == (1, 2)


def test_a_run_that_is_left_out_is_the_open_one(trackside):
    @task(id="sync", overlap="skip")
    def sync():
        wait("1h")

    first = trackside.run(sync, until="wait")
    assert trackside.trigger(sync) == first


def test_batches_and_spans(trackside):
    @task(id="leaf")
    def leaf(payload: int) -> int:
        with logger.trace("counting"):
            return step("n", lambda: payload + 1)

    @task(id="tree")
    def tree() -> list[int]:
        return leaf.batch_trigger_and_wait([{"payload": 1}, {"payload": 2}]).unwrap()

    assert trackside.run(tree).output == [2, 3]
    made = leaf.batch_trigger([{"payload": 5}])
    trackside.drain()
    assert [run.output for run in trackside.runs(leaf)] == [2, 3, 6]
    assert batch is not None
    assert tasks is not None
    assert made
