"""What a body that comes back from a wait takes for the runs it triggered: its own, and no others."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from engine import task, tasks, wait
from engine.sdk.blocking import blocking
from runs import lifecycle
from runs.lifecycle import attempts, sessions, store, tokens
from runs.models import Run, WorkerSession
from tests.support import factories
from tests.support.driver import Driver

#: What each pass of a body got, in the order of the passes.
passes: list[list[str]] = []
#: Called once, where the body that is to be lost stands.
blows: list[object] = []


@pytest.fixture(autouse=True)
def _forget():
    passes.clear()
    blows.clear()


def strike():
    if blows:
        with blocking():
            blows.pop()()


def plain(leaf):
    @task(id="parent")
    def body():
        passes.append(got := [leaf.trigger(n).id for n in range(2)])
        strike()
        got += [leaf.trigger(n).id for n in range(2, 4)]
        wait(60)
        got.append(leaf.trigger(4).id)

    return body


def coroutine(leaf):
    @task(id="parent")
    async def body():
        passes.append(got := [leaf.trigger(n).id for n in range(2)])
        strike()
        got += [leaf.trigger(n).id for n in range(2, 4)]
        await wait(60)
        got.append(leaf.trigger(4).id)

    return body


def make_leaf():
    @task(id="leaf")
    def leaf(payload: int):
        return payload

    return leaf


def declare_lost(session):
    """As another cluster does once this one's lease is over."""
    WorkerSession.objects.filter(pk=session.pk).update(
        expires_at=timezone.now() - timedelta(hours=1)
    )
    assert sessions.reap() == 1


def after_the_wait(driver):
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=True):
        driver.due()


def payloads(ids):
    found = dict(Run.objects.values_list("pk", "payload"))
    return [int(found[one]) for one in ids]


kinds = pytest.mark.parametrize("kind", [plain, coroutine])


@kinds
def test_what_a_lost_body_goes_on_to_trigger_is_not_that_of_the_next_attempt(driver: Driver, kind):
    run_id = driver.trigger(kind(make_leaf()))
    blows.append(lambda: declare_lost(driver.session))
    driver.segment()
    others = Driver()
    others.until_idle()
    after_the_wait(others)
    lost, first, again = passes
    assert not set(lost) & set(first)
    assert again == [*first, again[-1]]
    assert payloads(again) == [0, 1, 2, 3, 4]
    assert Run.objects.get(pk=run_id).status == "COMPLETED"
    assert Run.objects.filter(parent_id=run_id).count() == len(lost) + len(again)


@kinds
def test_nor_where_its_start_had_not_been_recorded(driver: Driver, kind):
    """The attempt that follows has the number of the one that was lost."""
    run_id = driver.trigger(kind(make_leaf()))
    claim = store.current().claim(driver.session.pk, 1)[0]
    blows.append(lambda: declare_lost(driver.session))
    driver.execute(store.current().assigned(run_id, claim.token))
    others = Driver()
    others.until_idle()
    after_the_wait(others)
    lost, first, again = passes
    assert not set(lost) & set(first)
    assert again == [*first, again[-1]]
    assert Run.objects.get(pk=run_id).attempt_number == 1


def test_nor_where_the_lost_one_had_come_back_from_a_wait(driver: Driver):
    """Both go on from the same wait of the same attempt."""
    leaf = make_leaf()

    @task(id="parent")
    def body():
        passes.append(got := [leaf.trigger(1).id])
        wait(60)
        strike()
        got.append(leaf.trigger(2).id)
        wait(600)
        got.append(leaf.trigger(3).id)

    run_id = driver.trigger(body)
    driver.until_idle()
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=True):
        lifecycle.promote_due()
        claim = store.current().claim(driver.session.pk, 1)[0]
        blows.append(lambda: declare_lost(driver.session))
        driver.execute(store.current().assigned(run_id, claim.token))
        others = Driver()
        others.until_idle()
    with time_machine.travel(timezone.now() + timedelta(seconds=700), tick=True):
        others.due()
    first, lost, again, last = passes
    assert first[0] == lost[0] == again[0] == last[0]
    assert lost[1] != again[1] == last[1]
    assert payloads(last) == [1, 2, 3]


def test_a_body_that_was_handed_back_unstarted_knows_what_it_triggered(driver: Driver):
    leaf = make_leaf()

    @task(id="parent")
    def body():
        passes.append([leaf.trigger(1).id])
        wait(60)

    run_id = driver.trigger(body)
    driver.until_idle()
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=True):
        lifecycle.promote_due()
        claim = store.current().claim(driver.session.pk, 1)[0]
        factories.finish(attempts.release(run_id, claim.token, "Stopped.", started=False))
        driver.until_idle()
    first, again = passes
    assert first == again


def test_runs_that_a_key_finds_are_not_taken_for_others(driver: Driver):
    leaf = make_leaf()

    @task(id="parent")
    def body():
        leaf.trigger(1, idempotency_key="one")
        sent = tasks.batch_trigger("leaf", [{"payload": 2}], idempotency_key="two")
        passes.append([one.id for one in sent])
        wait(60)
        passes.append([leaf.trigger(3).id])

    run_id = driver.trigger(body)
    driver.until_idle()
    after_the_wait(driver)
    assert payloads(passes[-1]) == [3]
    assert Run.objects.filter(parent_id=run_id).count() == 3


def test_a_wait_that_is_over_already_repeats_nothing(driver: Driver):
    """The lease is kept, and the body begins again from the top under it."""
    leaf = make_leaf()
    token = tokens.create()[0].pk

    @task(id="parent")
    def body():
        passes.append([leaf.trigger(1).id])
        wait.for_token(token)
        passes[-1].append(leaf.trigger(2).id)

    write = driver.write

    def completed_meanwhile(work, ending):
        tokens.complete(token, "1", by="")
        return write(work, ending)

    driver.write = completed_meanwhile
    run_id = driver.trigger(body)
    driver.until_idle()
    first, again = passes
    assert again[:1] == first
    assert Run.objects.filter(parent_id=run_id).count() == 2
