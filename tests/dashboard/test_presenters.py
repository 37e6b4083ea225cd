from datetime import timedelta

import pytest

from dashboard import presenters
from runs.models import Run
from runs.states import RunStatus


@pytest.mark.parametrize("status", RunStatus.values)
def test_every_status_has_a_look(status):
    look = presenters.look(Run(status=status))
    assert look.word
    assert look.help.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.0004, "<1 ms"), (0.34, "340 ms"), (1.23, "1.2 s"), (59.4, "59 s"),
        (60, "1 m"), (8040, "2 h 14 m"), (90061, "1 d 1 h"), (None, "–"),
    ],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, text):
    assert presenters.duration_text(seconds) == text
    if seconds is not None:
        assert presenters.duration_text(timedelta(seconds=seconds)) == text


def test_a_run_between_two_attempts_is_retrying():
    assert presenters.look(Run(status="QUEUED", attempt_number=1)).word == "Reattempting"


def test_success_after_a_retry_shows():
    assert presenters.look(Run(status="COMPLETED", attempt_number=2)).glyph == "recovered"
    handed_back = Run(status="COMPLETED", attempt_number=2, uncounted_attempts=1)
    assert presenters.look(handed_back).glyph == "completed"


def test_ids_show_their_ends():
    assert presenters.short_id("run_01m82ggsp993tts2n28dt2hqkj") == "run_01m8…t2hqkj"
    assert presenters.short_id("run_x") == "run_x"


@pytest.mark.parametrize(("count", "text"), [(9, "9 bytes"), (1500, "1.5 kB"), (3e6, "3.0 MB")])
def test_sizes_are_for_people(count, text):
    assert presenters.size_text(count) == text
