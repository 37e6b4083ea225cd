import pytest

from runs.scopes import Scope, admits


@pytest.mark.parametrize(
    ("scope", "action", "resource", "wanted"),
    [
        ("read:runs:run_1", "read", ("runs", "run_1"), True),
        ("read:runs:run_1", "read", ("runs", "run_2"), False),
        ("read:runs:run_1", "read", ("runs", None), False),
        ("read:runs:run_1", "write", ("runs", "run_1"), False),
        ("read:runs:run_1", "read", ("tags", "run_1"), False),
        ("read:runs", "read", ("runs", "run_1"), True),
        ("read:runs", "read", ("runs", None), True),
        ("read:tags:a:b:c", "read", ("tags", "a:b:c"), True),
        ("read:tags:a:b:c", "read", ("tags", "a"), False),
        ("*:runs:run_1", "write", ("runs", "run_1"), True),
        ("read:all", "read", ("batch", "batch_1"), True),
        ("read:all", "write", ("batch", "batch_1"), False),
        ("admin", "trigger", ("tasks", "a"), True),
        ("admin:runs", "trigger", ("tasks", "a"), False),
        ("admin:runs", "write", ("runs", "run_1"), True),
        ("read", "read", ("runs", "run_1"), False),
        ("", "read", ("runs", "run_1"), False),
        ("read:runs:", "read", ("runs", "run_1"), False),
        ("read:runs:", "read", ("runs", None), False),
        ("READ:RUNS", "read", ("runs", "run_1"), False),
    ],
)
def test_a_scope_admits(scope, action, resource, wanted):
    assert admits([Scope.read(scope)], action, [resource]) is wanted


def test_any_scope_and_any_resource_will_do():
    scopes = [Scope.read("read:tags:a"), Scope.read("read:runs:run_1")]
    assert admits(scopes, "read", [("runs", "run_2"), ("tags", "a")])
    assert not admits(scopes, "read", [])
    assert not admits([], "read", [("tags", "a")])
