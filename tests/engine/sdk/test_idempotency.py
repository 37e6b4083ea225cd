import pytest

from engine import idempotency_key, task
from engine.sdk.context import executing
from engine.sdk.idempotency import bound
from runs.errors import InvalidOption
from tests.engine.support import make_context


def test_outside_of_a_run_every_scope_is_global():
    for scope in ("run", "attempt", "global"):
        key = idempotency_key("k", scope=scope)
        assert (key.text, key.scope) == ("k", "global")


@pytest.mark.parametrize(
    ("scope", "text"), [("run", "k-run_1"), ("attempt", "k-run_1-2"), ("global", "k")]
)
def test_inside_a_run_the_scope_binds(scope, text):
    with executing(make_context(attempt=2)):
        assert idempotency_key("k", scope=scope).text == text


def test_a_plain_key_inside_a_run_belongs_to_the_run(fake_runtime):
    @task
    def child(): ...

    with executing(make_context()):
        child.trigger(idempotency_key="k")
    options = fake_runtime.last.options
    assert (options["idempotency_key"], options["idempotency_scope"]) == ("k-run_1", "run")


def test_a_list_is_joined():
    assert bound(["a", "b"]).text == "a-b"


def test_refuses_an_unknown_scope():
    with pytest.raises(InvalidOption):
        idempotency_key("k", scope="forever")  # type: ignore[arg-type]
