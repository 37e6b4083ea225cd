import json

import pytest

from engine.execution.failures import MAX_LINE, MAX_TEXT, describe, is_authors


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def described(error, **facts):
    text = describe(error, **facts)
    assert len(text) <= MAX_TEXT
    assert text.isascii()
    return json.loads(text)


def deep(levels):
    if levels:
        deep(levels - 1)
    raise ValueError("deep")


class MuteError(Exception):
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class OddError(Exception):
    def __str__(self):
        return 7


def test_says_what_and_where():
    error = described(raised(ValueError("no")))
    assert (error["type"], error["name"], error["message"]) == (
        "BUILT_IN_ERROR",
        "ValueError",
        "no",
    )
    (frame,) = error["frames"]
    assert (frame["function"], frame["text"], frame["own"]) == (
        "raised",
        "raise error from cause",
        True,
    )
    assert error["stack_trace"].startswith("Traceback (most recent call last):\n  File ")
    assert error["stack_trace"].endswith("ValueError: no")


def test_a_code_makes_it_one_of_ours():
    error = described(ValueError("no"), code="TASK_INPUT_ERROR", message="other words")
    assert (error["type"], error["code"]) == ("INTERNAL_ERROR", "TASK_INPUT_ERROR")
    assert error["message"] == "other words"


def test_tells_the_causes():
    error = described(raised(ValueError("outer"), raised(KeyError("inner"))))
    (cause,) = error["causes"]
    assert (cause["name"], cause["relation"]) == ("KeyError", "cause")
    assert "Caused by:" in error["stack_trace"]


def test_tells_the_members_of_a_group():
    group = ExceptionGroup("several", [ValueError("a"), ExceptionGroup("more", [KeyError("b")])])
    names = [cause["name"] for cause in described(group)["causes"]]
    assert names == ["ValueError", "ExceptionGroup", "KeyError"]


def test_a_circle_of_causes_ends():
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    assert [cause["name"] for cause in described(first)["causes"]] == ["KeyError"]


def test_keeps_fifty_frames_the_first_five_among_them():
    with pytest.raises(ValueError, match="deep") as caught:
        deep(300)
    frames = described(caught.value)["frames"]
    assert 10 <= len(frames) <= 50
    assert frames[0]["function"] == "test_keeps_fifty_frames_the_first_five_among_them"
    assert frames[-1]["text"] == 'raise ValueError("deep")'


def test_endless_recursion_is_described():
    def endless():
        endless()

    with pytest.raises(RecursionError) as caught:
        endless()
    assert described(caught.value)["name"] == "RecursionError"


@pytest.mark.parametrize("letter", ["x", "\x00", "\ud800", "😀", "\n"])
def test_a_huge_message_is_cut(letter):
    error = described(raised(ValueError(letter * 10_000_000), raised(ValueError(letter * 5000))))
    assert len(error["message"]) == 1000
    assert error["message"].endswith("…")


def test_a_long_line_of_code_is_cut(tmp_path):
    path = tmp_path / "long.py"
    path.write_text(f"raise ValueError('no')  # {'x' * 5000}")
    with pytest.raises(ValueError, match="no") as caught:
        exec(compile(path.read_text(), str(path), "exec"), {})
    assert len(described(caught.value)["frames"][-1]["text"]) == MAX_LINE


@pytest.mark.parametrize("error", [MuteError(), OddError()])
def test_an_exception_that_cannot_speak_is_described(error):
    found = described(raised(error))
    assert found["name"] == type(error).__name__
    assert "its text could not be made" in found["message"]


def test_a_huge_class_name_is_cut():
    described(type("X" * 100_000, (Exception,), {})("no"))


def test_a_hundred_causes_still_fit():
    error = ValueError("0")
    for number in range(100):
        error = raised(ValueError(f"{number} " * 200), error)
    assert described(error)["causes"]


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/home/me/project/tasks/hello.py", True),
        ("/home/me/project/.venv/lib/python3.11/site-packages/requests/api.py", False),
        (json.__file__, False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_knows_the_authors_files(file, own):
    assert is_authors(file) is own
