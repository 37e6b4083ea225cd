import threading

import pytest

from engine import TaskRunCanceled, current, task
from engine.sdk.cancellation import CancelSignal
from engine.sdk.context import executing
from tests.engine.support import make_context


def test_there_is_none_outside_of_a_run():
    assert current() is None


def test_threads_of_the_body_see_it():
    seen = []
    with executing(context := make_context()):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [context]
    assert current() is None


def test_runs_of_a_test_run_are_tests(fake_runtime):
    @task
    def child(): ...

    with executing(make_context(is_test=True)):
        child.trigger()
    options = fake_runtime.last.options
    assert (options["parent_id"], options["is_test"]) == ("run_1", True)


def test_asking_for_the_signal_is_remembered():
    context = make_context()
    assert not context._watched
    assert not context.signal.aborted
    assert context._watched


def test_the_signal_says_why():
    signal = CancelSignal()
    assert not signal.wait(0.001)
    signal.abort("cancel")
    signal.abort("shutdown")
    assert signal.wait()
    assert (signal.aborted, signal.reason) == (True, "cancel")
    with pytest.raises(TaskRunCanceled):
        signal.raise_if_aborted()


def test_waiting_ends_at_once():
    signal = CancelSignal()
    timer = threading.Timer(0.05, signal.abort, ["cancel"])
    timer.start()
    assert signal.wait(30)
    timer.join()


@pytest.mark.parametrize("before", [True, False])
def test_callbacks_are_called_once(before):
    signal, called, done = CancelSignal(), [], threading.Event()

    def callback(reason):
        called.append(reason)
        done.set()

    if before:
        signal.on_abort(callback)
    signal.abort("timeout")
    if not before:
        signal.on_abort(callback)
    assert done.wait(5)
    assert called == ["timeout"]
