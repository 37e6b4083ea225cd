"""Hooks where they are defined."""

import re
from typing import Any

import pytest

import engine
from engine import InvalidOption, hooks
from engine.sdk.hooks import chain

#: Untyped on purpose: what type checkers know of tasks is in test_typing.py.
task: Any = engine.task


def names(made, kind):
    return [hook.name for hook in chain(made.own_hooks)[kind]]


def plain(): ...


def other(): ...


def test_global_hooks_come_first_and_a_function_counts_once():
    hooks.on_success(plain)
    hooks.on_success(plain)
    made = task(id="x", on_success=other)(lambda: None)
    assert names(made, "on_success") == ["plain", "other"]
    hooks.on_success(other)
    assert names(made, "on_success") == ["plain", "other", "other"]


def test_two_closures_of_one_factory_are_two_hooks():
    def factory(_number):
        return lambda: None

    for number in (1, 2):
        hooks.on_success(factory(number))
    assert len(names(task(id="x")(lambda: None), "on_success")) == 2


def test_a_name_is_there_once():
    hooks.add_hook("on_success", plain, name="metrics")
    hooks.add_hook("on_success", other, name="metrics")
    made = task(id="x")(lambda: None)
    assert [hook.function for hook in chain(made.own_hooks)["on_success"]] == [other]


def test_a_name_may_come_first():
    assert hooks.on_success("metrics", plain) is plain
    assert hooks.on_success("metrics")(other) is other
    made = task(id="x")(lambda: None)
    assert made.on_success("own", plain) is plain
    found = [(hook.name, hook.function) for hook in chain(made.own_hooks)["on_success"]]
    assert found == [("metrics", other), ("own", plain)]


@pytest.mark.parametrize(
    "given", [(plain, other), ("", plain), (None, plain), ("metrics", 5), (5,)]
)
def test_what_is_no_name_and_no_function_is_refused(given):
    with pytest.raises(InvalidOption, match="on_success"):
        hooks.on_success(*given)


def test_a_decorator_leaves_the_function_as_it_is():
    assert hooks.on_failure(plain) is plain
    assert task(id="x")(lambda: None).on_failure(plain) is plain


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"on_success": lambda result: None}, "asks for “result”; it may ask for payload, ctx"),
        ({"on_success": "notify"}, "must be a function"),
        ({"middleware": plain}, "must ask for “next”"),
        ({"on_sucess": plain}, "@task has no option “on_sucess”"),
        ({"catch_error": plain, "handle_error": other}, "has one of each kind"),
    ],
)
def test_what_is_no_hook_is_refused_at_once(options, says):
    with pytest.raises(InvalidOption, match=re.escape(says)):
        task(id="x", **options)(lambda: None)


def test_the_refusal_names_the_task():
    with pytest.raises(InvalidOption, match="Task “x”"):
        task(id="x", machine="huge")(lambda: None)
    with pytest.raises(InvalidOption, match="“x” has the on_success hook plain"):
        task(id="x", on_success=plain)(lambda: None).on_success(other)


def test_optional_parameters_of_other_names_are_left_alone():
    def metrics(output, prefix="run"): ...

    hooks.on_success(metrics)


def test_hooks_of_a_file_that_failed_are_forgotten():
    hooks.on_success(plain)
    hooks.forget("another.py")
    assert names(task(id="x")(lambda: None), "on_success") == ["plain"]
    hooks.forget(__file__)
    assert names(task(id="y")(lambda: None), "on_success") == []
