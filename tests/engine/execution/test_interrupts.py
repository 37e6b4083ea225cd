import asyncio
import os
import signal
import threading
import time

import pytest

from engine import TaskRunCanceled, TaskRunInterrupted, task
from engine.execution import interrupts
from engine.execution.outcomes import Canceled, Failed, Interrupted, Succeeded
from tests.engine.support import Sink, carry_out


class Supervisor:
    """Asks a body to stop once it runs, by the signal a cluster sends."""

    def __init__(self):
        self.word = ""
        self.threads = []

    def reason(self):
        return self.word

    def ask(self, reason, after=0.05, times=1):
        def send():
            for _ in range(times):
                time.sleep(after)
                self.word = reason
                os.kill(os.getpid(), signal.SIGUSR1)

        self.threads.append(threading.Thread(target=send))
        self.threads[-1].start()


@pytest.fixture
def supervisor():
    before = signal.getsignal(signal.SIGUSR1)
    interrupts.install()
    yield (made := Supervisor())
    for thread in made.threads:
        thread.join()
    signal.signal(signal.SIGUSR1, before)


def sleeper(cleaned):
    """A task that never looks whether it should stop."""

    @task(id="sleeper")
    def body():
        try:
            time.sleep(20)
        except Exception:
            cleaned.append("eaten")
        finally:
            cleaned.append("cleaned")

    return body


def test_a_canceled_body_cleans_up(supervisor):
    cleaned: list[str] = []
    supervisor.ask("cancel", times=3)
    assert carry_out(sleeper(cleaned), control=supervisor) == Canceled()
    assert cleaned == ["cleaned"]


def test_a_stopping_cluster_hands_the_run_back(supervisor):
    supervisor.ask("shutdown")
    outcome = carry_out(sleeper([]), control=supervisor)
    assert outcome == Interrupted("The cluster is stopping.")


def test_an_overdue_body_has_timed_out(supervisor):
    supervisor.ask("timeout")
    outcome = carry_out(sleeper([]), control=supervisor, max_duration=5)
    assert isinstance(outcome, Failed)
    assert (outcome.final_status, outcome.retry_delay) == ("TIMED_OUT", None)
    assert "max_duration of 5 seconds" in outcome.error


def test_a_cleanup_that_fails_is_told(supervisor):
    @task
    def careless():
        try:
            time.sleep(20)
        finally:
            raise ValueError("cleanup failed")

    supervisor.ask("cancel")
    outcome = carry_out(careless, control=supervisor)
    assert "cleanup failed" in outcome.error


def test_a_failed_cleanup_does_not_cost_a_try_at_shutdown(supervisor):
    @task
    def careless():
        try:
            time.sleep(20)
        finally:
            raise ValueError("cleanup failed")

    supervisor.ask("shutdown")
    assert isinstance(carry_out(careless, control=supervisor), Interrupted)


def test_a_body_that_watches_its_signal_is_not_interrupted(supervisor):
    @task
    def watcher(ctx):
        assert ctx.signal.wait(20)
        time.sleep(0.01)
        ctx.signal.raise_if_aborted()

    supervisor.ask("cancel")
    assert carry_out(watcher, control=supervisor) == Canceled()


def test_a_watcher_may_finish_its_work_at_shutdown(supervisor):
    @task
    def watcher(ctx):
        return ctx.signal.wait(20)

    supervisor.ask("shutdown")
    assert carry_out(watcher, control=supervisor) == Succeeded("true")


def test_a_coroutine_is_canceled(supervisor):
    cleaned = []

    @task
    async def sleeping():
        try:
            await asyncio.sleep(20)
        finally:
            cleaned.append(True)

    supervisor.ask("cancel")
    assert carry_out(sleeping, control=supervisor) == Canceled()
    assert cleaned == [True]


def test_a_coroutine_is_handed_back_at_shutdown(supervisor):
    @task
    async def sleeping():
        await asyncio.sleep(20)

    supervisor.ask("shutdown")
    assert isinstance(carry_out(sleeping, control=supervisor), Interrupted)


@pytest.mark.parametrize("is_async", [True, False])
def test_a_run_that_should_stop_already_does_not_begin(supervisor, is_async):
    entered = []

    async def coroutine():
        await asyncio.sleep(0)
        entered.append(True)

    body = coroutine if is_async else lambda: entered.append(True)
    supervisor.word = "cancel"
    assert carry_out(task(id="any")(body), control=supervisor) == Canceled()
    assert entered == []


def test_a_body_that_swallows_it_is_still_canceled(supervisor):
    @task
    def stubborn():
        try:
            time.sleep(20)
        except BaseException:
            return "finished anyway"

    supervisor.ask("cancel")
    assert carry_out(stubborn, control=supervisor) == Canceled()


def test_a_raised_stop_without_a_word_is_a_failure(supervisor):
    @task
    def pretender():
        raise TaskRunCanceled("mine")

    assert isinstance(carry_out(pretender, control=supervisor), Failed)


def test_nothing_happens_between_attempts(supervisor):
    supervisor.word = "cancel"
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.01)


def test_log_lines_are_never_torn(supervisor):
    class Slow(Sink):
        def write(self, *line):
            self.entered = True
            time.sleep(0.2)
            super().write(*line)
            self.entered = False

    @task
    def talker():
        print("one")
        print("two")

    sink = Slow()
    supervisor.ask("shutdown")
    outcome = carry_out(talker, control=supervisor, sink=sink)
    assert isinstance(outcome, Interrupted)
    assert (sink.messages, sink.entered) == (["one"], False)


def test_what_is_raised_says_why():
    assert issubclass(TaskRunInterrupted, BaseException)
    assert not issubclass(TaskRunInterrupted, Exception)
