import json
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command

from runs import lifecycle
from runs.lifecycle import streams
from runs.reads.streams import Place, read
from tests.support.rows import queued_run

pytestmark = pytest.mark.django_db


def call(*arguments):
    out = StringIO()
    call_command("streams", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def run():
    return queued_run()


def stored(run, key, *, is_input=False):
    return [json.loads(text) for _, text, _ in read(Place(run.pk, key, is_input), 0)]


def test_appends_and_writes_and_sends(run, monkeypatch, tmp_path):
    call("append", run.pk, "rows", '{"n":\n1}')
    file = tmp_path / "rows.jsonl"
    file.write_text('2\n\n"three"\n')
    assert call("write", run.pk, "rows", str(file)) == "2 appended\n"
    monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": BytesIO(b"a\nb")}))
    call("write", run.pk, "rows", "--text")
    call("send", run.pk, "go", "true")
    call("send", run.pk, "go")
    assert stored(run, "rows") == [{"n": 1}, 2, "three", "a\n", "b"]
    assert stored(run, "go", is_input=True) == [True, None]
    assert call("list", run.pk) == "rows\n"


def test_reads_until_the_run_has_ended(run):
    streams.append(run.pk, "a", ['"x "', '"y\\u001b"', "[1]"])
    streams.send(run.pk, "go", "7", by="cli:x")
    lifecycle.cancel(run.pk, actor="user:vera")
    assert call("read", run.pk, "a") == "x y�[1]\n"
    assert call("read", run.pk, "a", "--after", "1") == "[1]\n"
    assert call("read", run.pk, "go", "--input") == "7\n"
    assert call("read", run.pk, "a", "--latest") == ""
    assert json.loads(call("read", run.pk, "a", "--json", "--after", "1"))["value"] == [1]


def test_ends_where_nothing_comes(run):
    assert call("read", run.pk, "a", "--quiet", "0") == ""


@pytest.mark.parametrize(
    "words",
    [
        ("read", "nobody", "a"),
        ("append", "nobody", "a", "1"),
        ("append", "{run}", "a", "{"),
        ("append", "{run}", "a\x00", "1"),
        ("write", "{run}", "a", "/nowhere"),
        ("send", "{run}", "a", "{"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, words):
    with pytest.raises(CommandError):
        call(*(word.format(run=run.pk) if word == "{run}" else word for word in words))


def test_a_run_that_has_ended_takes_no_more(run):
    lifecycle.cancel(run.pk, actor="user:vera")
    with pytest.raises(CommandError, match="ended"):
        call("append", run.pk, "a", "1")
