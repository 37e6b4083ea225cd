"""What an editor shows while somebody writes a task: mypy on the examples, and on mistakes."""

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(map(str, (ROOT / "examples" / "tasks").glob("*.py")))
SETTINGS = """
[mypy]
strict = True
disallow_untyped_defs = False
disallow_incomplete_defs = False
follow_imports = silent
ignore_missing_imports = True
"""
#: What a line ends with is what mypy has to say about it.
WRITTEN = """
from pydantic import BaseModel
from engine import Context, hooks, retry, task


class Order(BaseModel):
    id: int


@task(id="charge", retry=retry(max_attempts=5), machine="micro", on_success=lambda output: None)
def charge(payload: Order, ctx: Context) -> str:
    reveal_type(payload.id)  # int
    payload.customer  # error: "Order" has no attribute "customer"
    return f"{payload.id}"


@task
async def fetch(payload: list[str]) -> dict[str, int]:
    return {}


reveal_type(charge.trigger(Order(id=1)))  # engine.sdk.handles.Handle[str]
reveal_type(charge(Order(id=1)))  # str
reveal_type(fetch.trigger(["a"]).id)  # str
reveal_type(retry.on_throw(lambda: 1.5))  # float
charge.trigger({"id": 1})  # error: Argument 1 to "trigger" of "Task" has incompatible type
charge.trigger(Order(id=1), dealy="1h")  # error: Unexpected keyword argument "dealy"
charge.batch_trigger([{"payload": "x"}])  # error: Incompatible types (expression has type "str"
task(id="x", max_duraton=5)  # error: No overload variant
task(id="x", on_failure="notify")  # error: No overload variant
hooks.on_sucess(print)  # error: "Hooks" has no attribute "on_sucess"
"""


@pytest.mark.once
@pytest.mark.timeout(280)
def test_knows_payloads_results_and_options(tmp_path, monkeypatch, pytestconfig):
    monkeypatch.chdir(ROOT)
    written, settings = tmp_path / "written.py", tmp_path / "mypy.ini"
    written.write_text(WRITTEN)
    settings.write_text(SETTINGS)
    cache = pytestconfig.cache.mkdir("mypy")
    said, problem, _ = api.run(
        [f"--config-file={settings}", f"--cache-dir={cache}", *EXAMPLES, str(written)]
    )
    assert not problem
    assert [line for line in said.splitlines() if "examples/tasks" in line] == []
    found = {
        int(line.group(1)): line.group(2)
        for line in re.finditer(r"written\.py:(\d+): (?:error: |note: Revealed type is )(.*)", said)
    }
    wanted = {
        number: line.split("  # ")[1].removeprefix("error: ")
        for number, line in enumerate(WRITTEN.splitlines(), 1)
        if "  # " in line
    }
    assert set(found) == set(wanted), said
    assert [found[n] for n in wanted if wanted[n] not in found[n].replace("builtins.", "")] == []
