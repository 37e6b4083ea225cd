import os

from engine import task
from engine.execution.assignment import Assignment
from engine.execution.executor import execute
from engine.execution.hygiene import Snapshot
from engine.execution.outcomes import Succeeded
from tests.engine.support import Calm, Sink, carry_out


def test_the_next_run_finds_the_process_as_it_was(tmp_path):
    here = os.getcwd()

    @task
    def careless():
        os.chdir(tmp_path)
        os.environ["LEFT"] = "behind"

    assert carry_out(careless) == Succeeded(None)
    assert (os.getcwd(), "LEFT" in os.environ) == (here, False)


def test_damage_is_told_with_the_outcome():
    reading, writing = os.pipe()

    @task
    def closer():
        os.close(reading)

    work = Assignment(run_id="run_1", task_id="closer", attempt=1)
    outcome = execute(work, Sink(), Calm(), Snapshot([reading]))
    assert isinstance(outcome, Succeeded)
    assert str(reading) in outcome.recycle
    os.close(writing)
