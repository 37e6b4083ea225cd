import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from runs import lifecycle
from runs.ids import new_id
from runs.lifecycle import definitions
from runs.management import terminal
from runs.management.commands.runs import Command
from runs.models import LogLine, Run, Source
from runs.states import RunStatus
from tests.support.factories import task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()


@pytest.fixture
def runs(capsys):
    """Call `manage.py runs` with these arguments; gives what it printed to stdout."""

    def call(*arguments):
        capsys.readouterr()
        call_command("runs", *arguments)
        return capsys.readouterr().out

    return call


def made(task="hello", payload="1", **options):
    asked = lifecycle.TriggerOptions(**options)
    return lifecycle.trigger(task, payload, asked, source=Source.SDK).run_id


def ended(status, **values):
    run_id = made()
    Run.objects.filter(pk=run_id).update(status=status, finished_at=timezone.now(), **values)
    return run_id


def test_list_filters_newest_first(runs):
    first, second = made("a", tags=("x",)), made("b", is_test=True)
    assert [row.split()[0] for row in runs("list").splitlines()] == [second, first]
    assert runs("list", "--task", "a").split()[0] == first
    assert (
        runs("list", "--tag", "x", "--status", "pending_version", "--since", "1h").split()[0]
        == first
    )
    assert runs("list", "--test").split()[0] == second
    assert runs("list", "--queue", "task/b", "--limit", "1").split()[0] == second
    assert runs("list", "--status", "failed") == ""
    assert runs("list", "--query", "-tag:x after:1h").split()[0] == second


def test_list_as_json_lines(runs):
    run_id = made("a", tags=("x",))
    (entry,) = map(json.loads, runs("list", "--json").splitlines())
    assert (entry["id"], entry["tags"], entry["status"]) == (run_id, ["x"], "PENDING_VERSION")
    assert "payload" not in entry


def test_show_tells_everything_a_person_asks(runs):
    error = json.dumps({"name": "ValueError", "message": "no", "stack_trace": "Traceback: x"})
    out = runs("show", ended(RunStatus.FAILED, error=error, reason="It failed."))
    for words in ("Failed", "It failed.", "ValueError: no", "Traceback: x", "payload      1"):
        assert words in out


def test_show_tells_why_a_run_does_not_start_yet(runs):
    assert "not yet      No worker is connected." in runs("show", made("unknown"))


def test_show_as_json_keeps_stored_documents(runs):
    run_id = made(payload='{"b":1e2,\n"e":"é😀\x9b"}')
    out = runs("show", run_id, "--json")
    assert '"payload": {"b":1e2, "e":"\\u00e9\\ud83d\\ude00\\u009b"}' in out
    assert json.loads(out)["id"] == run_id


def test_nothing_printed_can_steer_the_terminal(runs):
    run_id = made("a\x1b]52;c;x\x07", payload='"\x9b2J\u202e"')
    for out in (runs("list"), runs("show", run_id)):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)


def test_trigger_prints_the_id(runs):
    run = Run.objects.get(pk=runs("trigger", "hello", '{"a": 1e2}').strip())
    assert (run.payload, run.source) == ('{"a": 1e2}', Source.CLI)
    assert run.actor.startswith("cli:")


def test_trigger_says_when_an_open_run_answers(runs, capsys):
    task("sync", config=json.dumps({"overlap": "skip"}))
    first = runs("trigger", "sync").strip()
    call_command("runs", "trigger", "sync")
    told = capsys.readouterr()
    assert (told.out.strip(), "still open" in told.err) == (first, True)


def test_trigger_takes_every_option(runs):
    arguments = [
        "--key",
        "k",
        "--delay",
        "1h",
        "--ttl",
        "90",
        "--tag",
        "a",
        "--tag",
        "b",
        "--priority",
        "5",
        "--max-attempts",
        "2",
        "--max-duration",
        "1m",
        "--machine",
        "micro",
        "--lock-to-version",
        "v7",
        "--test",
        "--idempotency-key",
        "i",
    ]
    out = runs("trigger", "hello", *arguments, "--metadata", '{"m": 1}')
    run = Run.objects.get(pk=out.strip())
    assert (run.concurrency_key, run.ttl, run.tag_list, run.priority) == ("k", 90, ["a", "b"], 5)
    assert (run.max_attempts, run.max_duration, run.machine) == (2, 60, "micro")
    assert (run.version, run.is_test, run.payload, run.metadata) == ("v7", True, None, '{"m": 1}')
    assert run.delay_until is not None
    again = runs("trigger", "hello", "--idempotency-key", "i")
    assert again == out


def test_trigger_reads_a_file_or_stdin(runs, tmp_path, monkeypatch):
    path = tmp_path / "payload.json"
    path.write_bytes(b"[1]\n")
    assert Run.objects.get(pk=runs("trigger", "t", "--file", str(path)).strip()).payload == "[1]"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[2]")))
    assert Run.objects.get(pk=runs("trigger", "t", "-").strip()).payload == "[2]"


def test_cancel_stops_every_run_named(runs):
    first, second = made(), made()
    assert runs("cancel", first, second, "--reason", "oops").count("canceled") == 2
    assert set(Run.objects.values_list("status", "reason")) == {("CANCELED", "oops")}


def test_unlock_lets_a_run_go_on_with_any_version(runs):
    run_id = made(version="v1")
    assert "version      v1 (asked for)" in runs("show", run_id)
    assert runs("unlock", run_id) == f"{run_id} pending version\n"
    assert Run.objects.get(pk=run_id).version == ""
    with pytest.raises(CommandError, match="locked to no version"):
        runs("unlock", run_id)


def test_replay_makes_a_new_run(runs):
    origin = made(payload='{"x":1}', tags=("a",))
    run = Run.objects.get(pk=runs("replay", origin).strip())
    assert (run.payload, run.tag_list, run.replayed_from_id) == ('{"x":1}', ["a"], origin)
    changed = Run.objects.get(pk=runs("replay", origin, "2", "--tag", "b").strip())
    assert (changed.payload, changed.tag_list) == ("2", ["b"])


def test_follow_prints_logs_and_answers_by_its_exit_code(capsys):
    done = ended(RunStatus.COMPLETED)
    LogLine.objects.create(
        run_id=done, attempt=1, level=30, logger="x", message="careful\x1b", at=timezone.now()
    )
    call_command("runs", "show", done, "--follow")
    assert "WARNING  careful�" in capsys.readouterr().err
    with pytest.raises(CommandError, match="ended as FAILED") as caught:
        call_command("runs", "show", ended(RunStatus.FAILED), "--follow")
    assert caught.value.returncode == 3


def test_follow_ends_when_the_run_does(monkeypatch, capsys):
    run_id = made()
    monkeypatch.setattr("threading.Event.wait", lambda *_: lifecycle.cancel(run_id, actor="x"))
    with pytest.raises(CommandError):
        call_command("runs", "show", run_id, "--follow")
    printed = capsys.readouterr().err
    assert "Pending version" in printed
    assert "Canceled" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "run_nobody"], "no run run_nobody"),
        (["cancel", new_id("run")], "no run"),
        (["replay", new_id("run")], "no run"),
        (["trigger", "t", "{"], "line 1, column 2"),
        (["trigger", "t", "--file", "/nowhere/x"], "Cannot read /nowhere/x: No such file"),
        (["trigger", "t", "--ttl", "soon"], "--ttl"),
        (["trigger", "t", "--delay", "soon"], "--delay"),
        (["trigger", "t", "--queue", "nowhere"], "nowhere"),
        (["trigger", "t", "--metadata", "[]"], "metadata"),
        (["list", "--since", "soon"], "--since"),
        (["list", "--query", "tag:x taks:y"], "--query, character 7"),
        (["list", "--limit", "0"], "1 to 10000"),
        (["list", "--status", "done"], "invalid choice"),
        (["dance"], "invalid choice"),
    ],
)
def test_an_error_is_one_clear_sentence(arguments, words):
    with pytest.raises(CommandError, match=words) as caught:
        call_command("runs", *arguments)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_away_is_one_sentence(monkeypatch):
    def away(*arguments):
        raise OperationalError("no such table: runs_run")

    monkeypatch.setattr("runs.management.asking.filtered", away)
    with pytest.raises(CommandError, match="migrate"):
        call_command("runs", "list")


def test_a_nameless_user_has_a_name_in_the_log(monkeypatch):
    def nameless():
        raise OSError

    monkeypatch.setattr("getpass.getuser", nameless)
    assert terminal.actor() == "cli:unknown"


def test_edits_a_run(runs):
    task("hello")
    run = made(delay=60.0)
    out = runs("edit", run, '{"to": "bob"}', "--priority", "60", "--delay", "0", "--reason", "now")
    assert "Queued" in out
    stored = Run.objects.get(pk=run)
    assert (stored.payload, stored.priority, stored.status) == ('{"to": "bob"}', 60, "QUEUED")
    assert json.loads(runs("edit", run, "null", "--json"))["payload"] is None
    with pytest.raises(CommandError, match="no queue named “nope”"):
        runs("edit", run, "--queue", "nope")
    with pytest.raises(CommandError, match="what to edit"):
        runs("edit", run)


def test_purges_after_saying_how_many(runs):
    task("hello"), task("other")
    made(), made(tags=("a",)), made("other")
    assert "2 runs would be canceled" in runs("purge", "--task", "hello")
    assert Run.objects.filter(status="QUEUED").count() == 3
    assert "1 runs canceled" in runs("purge", "--tag", "a", "--older-than", "0", "--yes")
    assert "1 runs canceled" in runs("purge", "--task", "hello", "--status", "queued", "--yes")
    with pytest.raises(CommandError, match="which runs to purge"):
        runs("purge", "--yes")


def test_forgets_a_key(runs):
    first = made(idempotency_key="k")
    assert runs("forget-key", "hello", "k") == "forgotten\n"
    assert made(idempotency_key="k") != first
    with pytest.raises(CommandError, match="“nobody” has this key"):
        runs("forget-key", "nobody", "k")


def test_help_has_examples_and_exit_codes():
    text = Command().create_parser("manage.py", "runs").format_help()
    assert "runs show run_01k... --follow" in text
    assert "exit codes:" in text


def test_reschedules_a_delayed_run(runs):
    task("hello")
    run_id = made(delay=3600)
    before = Run.objects.get(pk=run_id).delay_until
    assert runs("reschedule", run_id, "2h") == f"{run_id} delayed\n"
    assert Run.objects.get(pk=run_id).delay_until > before


def test_tags_a_run(runs):
    run_id = made(tags=("b",))
    assert runs("tag", run_id, "a") == "a b\n"
    with pytest.raises(CommandError):
        runs("tag", "run_nobody", "a")
