"""The command `trackside` against the API of this process."""

import json
from io import StringIO

import httpx
import pytest

from runs.models import Queue, Run
from runs.states import RunStatus
from tests.support import factories
from trackside import Client
from trackside.shell import command


def test_triggers_and_prints_the_id(said):
    code, out, _ = said(
        "trigger", "hello", "--payload", '{"n": 1}', "--tag", "a", "--tag", "b", "--delay", "1h",
        "--metadata", '{"m": 1}', "--max-attempts", "2",
    )  # fmt: skip
    run = Run.objects.get(pk=out)
    assert (code, run.payload, run.tag_list, run.status) == (0, '{"n": 1}', ["a", "b"], "DELAYED")


def test_takes_the_payload_from_a_file_or_stdin(said, tmp_path, monkeypatch):
    file = tmp_path / "payload.json"
    file.write_text("[1]")
    assert (
        Run.objects.get(pk=said("runs", "trigger", "hello", "--file", str(file))[1]).payload
        == "[1]"
    )
    monkeypatch.setattr("sys.stdin", StringIO("[1]"))
    assert Run.objects.get(pk=said("trigger", "hello", "-")[1]).payload == "[1]"


@pytest.mark.parametrize(
    "words",
    [
        ("trigger",),
        ("trigger", "hello", "{"),
        ("trigger", "hello", "1", "--payload", "2"),
        ("trigger", "hello", "--file", "/nowhere/at/all"),
        ("trigger", "hello", "--metadata", "["),
        ("runs", "cancel"),
        ("runs", "list", "--limit", "0"),
        ("nonsense",),
    ],
)
def test_wrong_arguments_are_two(said, words):
    code, out, err = said(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert not Run.objects.exists()


def test_a_refusal_is_one(said):
    code, _, err = said("trigger", "hello", "--queue", "nowhere")
    assert code == 1
    assert err.startswith("Error: ")
    assert "(422)" in err


def test_waiting_tells_how_it_ended(said):
    good, bad = factories.ended_run(), factories.ended_run(RunStatus.FAILED)
    code, out, _ = said("runs", "show", good.pk, "--wait")
    assert code == 0
    assert "output" in out
    code, _, err = said("runs", "get", bad.pk, "--wait")
    assert code == 3
    assert "FAILED" in err
    assert said("runs", "show", bad.pk)[0] == 0


def test_waiting_may_end_early(said):
    code, _, err = said("trigger", "hello", "--delay", "1h", "--wait", "--wait-timeout", "0")
    assert code == 1
    assert "still DELAYED" in err


def test_lists_runs(said):
    made = [said("trigger", "hello", "--tag", "a\x1b[31m")[1] for _ in range(2)]
    table = said("runs", "list", "--task", "hello", "--status", "queued")[1].splitlines()
    assert table[0].split() == ["RUN", "STATUS", "TASK", "CREATED", "TOOK", "TAGS"]
    assert [row.split()[0] for row in table[1:]] == made[::-1]
    assert "\x1b" not in table[1]
    rows = said("--json", "runs", "list")[1].splitlines()
    assert [json.loads(row)["id"] for row in rows] == made[::-1]


def test_acts_on_runs(said):
    run = said("trigger", "hello", "--delay", "1h")[1]
    assert said("runs", "tag", run, "x", "y")[0] == 0
    assert "x y" in said("runs", "reschedule", run, "2h")[1]
    replayed = said("runs", "replay", run, "--payload", "5", "--delay", "1h")[1]
    assert Run.objects.get(pk=replayed).payload == "5"
    code, out, _ = said("runs", "cancel", run, replayed, "--reason", "enough")
    assert (code, out.splitlines()) == (0, [f"{run} canceled", f"{replayed} canceled"])


def test_frees_keys(said):
    first = said("trigger", "hello", "--idempotency-key", "k")[1]
    assert said("trigger", "hello", "--idempotency-key", "k")[1:] == (
        first,
        "The idempotency key belongs to an earlier run:",
    )
    assert said("forget-key", "hello", "k")[1] == "forgotten"
    assert said("forget-key", "hello", "k")[0] == 1


def test_batches(said, tmp_path):
    file = tmp_path / "items.ndjson"
    file.write_text(
        '{"task": "hello", "payload": 1, "options": {"tags": ["t"]}}\n\n{"payload": 2}\n'
    )
    made = said("batch", "trigger", str(file), "--task", "other")[1]
    assert list(Run.objects.order_by("id").values_list("task_id", flat=True)) == ["hello", "other"]
    assert "PROCESSING" in said("batch", "show", made)[1]
    assert said("batch", "trigger", str(file))[0] == 2


def test_queues(said):
    Queue.objects.create(name="mail", concurrency_limit=3)
    assert said("queues", "pause", "mail", "--reason", "x")[1] == "mail paused"
    assert "paused" in said("queues", "show", "mail")[1]
    assert said("queues", "resume", "mail")[0] == 0
    assert "yes" in said("queues", "override", "mail", "--limit", "1")[1]
    assert said("queues", "reset", "mail")[0] == 0
    assert "task/hello" in said("queues", "list")[1]
    assert said("queues", "show", "task/hello")[0] == 0


def test_tokens(said):
    made = json.loads(said("--json", "tokens", "create", "--timeout", "1h", "--tag", "t")[1])
    assert said("tokens", "complete", made["id"], '{"a": 1}')[0] == 0
    assert "COMPLETED" in said("tokens", "show", made["id"])[1]
    assert made["id"] in said("tokens", "list", "--status", "completed")[1]


@pytest.mark.once
def test_interrupting_is_130(monkeypatch, capsys):
    def interrupt(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "Client", interrupt)
    assert command.run(["runs", "list"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.once
def test_without_a_server_it_says_what_to_do(monkeypatch, capsys):
    monkeypatch.delenv("TRACKSIDE_URL", raising=False)
    assert command.run(["runs", "list"]) == 1
    assert "TRACKSIDE_URL" in capsys.readouterr().err


@pytest.mark.once
def test_help_needs_no_server(capsys):
    assert command.run(["runs", "trigger", "--help"]) == 0
    assert "--wait" in capsys.readouterr().out


def answering(monkeypatch, *answers):
    """The command with a far server that gives these answers; what it was asked."""
    asked, left = [], list(answers)

    def answer(request):
        asked.append((request.method, request.url.path, json.loads(request.read() or "null")))
        return httpx.Response(200, json=left.pop(0))

    def connect(*args, **settings):
        return Client("http://far", "key", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(command, "Client", connect)
    return asked


SCHEDULE = {
    "id": "sched_1",
    "type": "IMPERATIVE",
    "task": "report",
    "active": True,
    "generator": {"type": "CRON", "expression": "0 5 * * *", "description": ""},
    "timezone": "UTC",
}


@pytest.mark.once
def test_schedules(monkeypatch, capsys):
    page = {"data": [SCHEDULE], "pagination": {"currentPage": 1, "totalPages": 1, "count": 1}}
    asked = answering(monkeypatch, SCHEDULE, page, SCHEDULE, {"id": "sched_1"})
    for words in (
        ["create", "report", "0 5 * * *", "--key", "daily"],
        ["list"],
        ["deactivate", "sched_1"],
        ["delete", "sched_1"],
    ):
        assert command.run(["schedules", *words]) == 0
    path = "/api/v1/schedules"
    assert asked[0] == (
        "POST",
        path,
        {"task": "report", "cron": "0 5 * * *", "deduplicationKey": "daily"},
    )
    assert [one[:2] for one in asked[1:]] == [
        ("GET", path),
        ("POST", f"{path}/sched_1/deactivate"),
        ("DELETE", f"{path}/sched_1"),
    ]


@pytest.mark.once
def test_environment_variables(monkeypatch, capsys):
    asked = answering(
        monkeypatch, {"success": True}, [{"name": "A", "value": "b"}], {"success": True}
    )
    assert command.run(["envvars", "set", "A", "b", "--secret"]) == 0
    assert command.run(["envvars", "list"]) == 0
    assert command.run(["envvars", "delete", "A", "--environment", "prod"]) == 0
    assert asked[0][2] == {"variables": {"A": "b"}, "override": True, "isSecret": True}
    assert asked[2][:2] == ("DELETE", "/api/v1/projects/default/envvars/prod/A")


def events(*values):
    return "".join(f"id: 17-{number}\ndata: {value}\n\n" for number, value in enumerate(values))


@pytest.fixture
def far(server, monkeypatch, capsys):
    """What `trackside words…` prints where the server answers so, and the server."""

    def run(answer, *words):
        there = server(answer)
        monkeypatch.setattr(command, "Client", lambda *_, **__: there.client())
        assert command.run(list(words)) == 0
        return capsys.readouterr().out, there

    return run


def test_prints_a_stream(far):
    body = httpx.Response(200, text=events('"a\\n"', '"b\\u001b"', "[1]"))
    assert far(body, "streams", "read", "run_1", "k")[0] == "a\nb�[1]\n"
    body = httpx.Response(200, text=events("1", '"b"'))
    lines = far(body, "--json", "streams", "read", "run_1", "k")[0].splitlines()
    assert [json.loads(line)["value"] for line in lines] == [1, "b"]
    body = httpx.Response(200, text=events('{"ok":true}'))
    assert far(body, "streams", "read", "run_1", "k", "--input")[0] == '{"ok": true}\n'


def test_appends_writes_and_sends_to_streams(far, tmp_path):
    ok = httpx.Response(200, json={"ok": True})
    assert far(ok, "streams", "append", "run_1", "k", "1")[1].asked[0].content == b"1\n"
    file = tmp_path / "lines"
    file.write_text('{"n": 1}\n\n2')
    out, there = far(ok, "streams", "write", "run_1", "k", str(file), "--target", "parent")
    assert (out, there.asked[0].content) == ("2 appended\n", b'{"n": 1}\n2\n')
    assert there.asked[0].url.path.endswith("/run_1/parent/k")
    assert far(ok, "streams", "send", "run_1", "k")[1].asked[0].content == b'{"data": null}'


def test_lists_the_streams_of_a_run(far):
    row = {"key": "k", "value": {"realtimeStreams": ["a", "b"]}, "headers": {}}
    assert far(httpx.Response(200, json=[row]), "streams", "list", "run_1")[0] == "a\nb\n"


def test_prints_an_output_and_the_results_of_a_batch(said, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"task": "hello", "payload": [1]}')
    batch = said("batch", "trigger", str(file))[1]
    run = Run.objects.get(batch_id=batch)
    assert said("runs", "output", run.pk, "--payload")[1] == "[1]"
    said("runs", "cancel", run.pk, "--reason", "enough")
    assert run.pk in said("batch", "results", batch)[1]
    assert said("runs", "output", run.pk)[0] == 1
