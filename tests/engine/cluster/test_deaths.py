"""What is told of a process that ended."""

import pickle
import signal

import pytest

from engine.cluster import deaths
from engine.cluster.board import Ask
from engine.cluster.deaths import Death


@pytest.mark.parametrize(
    ("exitcode", "code"),
    [
        (1, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"),
        (0, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"),
        (None, "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"),
        (137, "TASK_PROCESS_MAYBE_OOM_KILLED"),
        (-signal.SIGKILL, "TASK_PROCESS_MAYBE_OOM_KILLED"),
        (-signal.SIGSEGV, "TASK_PROCESS_SIGSEGV"),
        (-signal.SIGTERM, "TASK_PROCESS_SIGTERM"),
        (-signal.SIGABRT, "TASK_RUN_CRASHED"),
    ],
)
def test_the_code_says_how_it_ended(exitcode, code):
    death = Death(run_id="run_1", token="", started=True, killed=Ask.NOTHING, exitcode=exitcode)
    assert deaths.code_of(death) == code


def test_the_memory_it_was_killed_for_is_certain():
    death = Death(run_id="run_1", token="", started=True, killed=Ask.MEMORY, exitcode=-9)
    assert deaths.code_of(death) == "TASK_PROCESS_OOM_KILLED"


def test_a_new_bookkeeper_is_told_again_once():
    """The last one may have been killed with what it had been told in its hands."""
    told = deaths.Deaths()
    death = Death(run_id="run_1", token="t", started=True, killed=Ask.NOTHING, exitcode=-9)
    told.tell(death)
    assert [pickle.loads(message) for message in told.drain()] == [death]
    for expected in ([death], []):
        told.tell_again()
        assert [pickle.loads(message) for message in told.drain()] == expected
    told.reader.close()
    told.writer.close()
