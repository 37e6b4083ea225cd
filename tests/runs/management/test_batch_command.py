import json
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import lifecycle
from runs.lifecycle import definitions
from runs.models import Batch, Run
from tests.support import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tasks():
    definitions.forget()
    factories.task("hello")


def call(*arguments):
    out = StringIO()
    call_command("batch", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


@pytest.fixture
def lines(tmp_path):
    def written(*lines):
        path = tmp_path / "rows.jsonl"
        path.write_text(
            "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        )
        return str(path)

    return written


def test_makes_a_run_of_each_line(lines):
    options = {"tags": "a", "delay": "1h", "maxAttempts": 2, "queue": {"name": "task/hello"}}
    rows = lines({"payload": [1]}, "", {"task": "hello", "options": options})
    batch = Batch.objects.get(pk=call("trigger", rows, "--task", "hello"))
    first, second = Run.objects.filter(batch_id=batch.pk).order_by("id")
    assert (first.task_id, first.payload, batch.source, batch.run_count) == (
        "hello",
        "[1]",
        "cli",
        2,
    )
    assert (second.payload, second.tag_list, second.max_attempts) == (None, ["a"], 2)
    assert (second.status, second.queue) == ("DELAYED", "task/hello")


def test_reads_stdin_and_knows_its_key(monkeypatch):
    made = []
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": BytesIO(b'{"task":"hello"}')}))
        made.append(call("trigger", "-", "--idempotency-key", "k"))
    assert made[0] == made[1]
    assert Run.objects.count() == 1


def test_shows_a_batch_and_how_its_runs_ended(lines):
    batch_id = json.loads(call("trigger", lines({"task": "hello"}, {"task": "hello"}), "--json"))[
        "id"
    ]
    run = Run.objects.order_by("id").first()
    lifecycle.cancel(run.pk, actor="user:vera", reason="no need")
    assert call("show", batch_id) == f"{batch_id}  PROCESSING  2 runs, 0 completed, 1 not"
    assert json.loads(call("show", batch_id, "--json"))["runs"][0] == run.pk
    assert call("results", batch_id) == f"{run.pk}  Canceled      no need"
    assert json.loads(call("results", batch_id, "--json"))["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "no line"),
        ("{", "Line 1"),
        ("[]", "Line 1"),
        ({"payload": 1}, "--task"),
        ({"task": "hello", "more": 1}, "Line 1"),
        ({"task": "hello", "options": {"nothing": 1}}, "nothing"),
        ({"task": "hello", "options": {"ttl": "soon"}}, "ttl"),
        ({"task": "hello", "options": {"queue": "nowhere"}}, "nowhere"),
    ],
)
def test_makes_nothing_of_a_file_with_a_line_that_is_none(lines, line, words):
    with pytest.raises(CommandError, match=words):
        call("trigger", lines(line))
    assert not Run.objects.exists()


def test_what_is_not_there_is_one_sentence():
    for words in (("trigger", "/nowhere"), ("show", "batch_0"), ("results", "a\x00")):
        with pytest.raises(CommandError):
            call(*words)
