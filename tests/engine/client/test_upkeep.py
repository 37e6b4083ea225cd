"""What operators do by the client and the command: edit, purge, stop, keys, many runs at once."""

import json

import pytest

from runs.models import ApiKey, BulkAction, EnvVar, Queue, Run


@pytest.fixture
def run(client):
    return client.tasks.trigger("hello", {"n": 1}, tags="a", delay="1h").id


def test_edits_and_unlocks_and_purges(client, run, said):
    edited = client.runs.edit(run, [2], priority=3, delay=0, reason="sooner")
    assert (edited.payload, edited.status) == ([2], "QUEUED")
    assert said("runs", "edit", run, "null", "--priority", "4", "--delay", "1h")[0] == 0
    assert (Run.objects.get().payload, Run.objects.get().status) == ("null", "DELAYED")
    code, out, _ = said("runs", "purge", "--task", "hello")
    assert (code, out) == (0, "1 runs would be canceled. Say --yes to do it.")
    assert (
        said("runs", "purge", "--task", "hello", "--yes", "--reason", "x")[1] == "1 runs canceled"
    )
    assert client.runs.purge(task="hello", older_than="0s") == 0
    assert Run.objects.get().status == "CANCELED"
    assert said("runs", "unlock", run)[0] == 1
    assert said("runs", "purge")[0] == 1


def test_asks_again_while_there_are_more(client, run, monkeypatch):
    monkeypatch.setattr("dashboard.api.upkeep.MOST", 1)
    client.tasks.trigger("hello")
    assert client.runs.purge(task=["hello"]) == 2


def test_stops_all_queues(client, run, said):
    assert said("queues", "pause", "--all", "--reason", "x")[1] == "1 queues paused"
    assert Queue.objects.filter(paused=True).count() == 1
    assert said("queues", "resume", "--all")[1] == "1 queues resumed"
    assert said("queues", "pause")[0] == 2
    assert said("queues", "resume", "--all", "a")[0] == 2


def test_keys_and_tasks(client, run, said):
    words = ("apikey", "create", "ci", "--role", "viewer", "--task", "hello", "--expires", "1d")
    text = said(*words)[1]
    assert text.startswith("tr_")
    assert text not in said("apikey", "list")[1]
    row = ApiKey.objects.get(name="ci")
    assert (row.task_list, row.role) == (["hello"], "viewer")
    assert said("apikey", "revoke", "ci")[1] == "Key ci is revoked."
    assert said("apikey", "create", "x", "--role", "root")[0] == 1
    made = client.api_keys.create("other")
    assert made.key not in repr(made)
    assert [one.name for one in client.api_keys.list()] == ["ci", "other", "tests"]
    assert said("tasks", "list")[1].splitlines()[1].startswith("hello")
    assert [task.id for task in client.tasks.list()] == ["hello"]
    assert said("tasks", "pause", "hello", "--reason", "broken")[0] == 0
    assert "paused" in said("tasks", "list")[1]
    assert client.tasks.pause("hello").paused_reason == "broken"
    assert said("tasks", "resume", "hello")[0] == 0
    assert not client.tasks.resume("hello").paused


def test_many_runs_in_the_background(run, said):
    action = said("bulk", "start", "cancel", "--task", "hello", "--status", "delayed")[1]
    row = BulkAction.objects.get(pk=action)
    assert (row.kind, row.total) == ("CANCEL", 1)
    assert said("bulk", "start", "replay", run, "--name", "again")[0] == 0
    slowly = ("--spread", "2h", "--canary", "1", "--newest-first")
    asked = BulkAction.objects.get(pk=said("bulk", "start", "replay", run, *slowly)[1]).options
    assert json.loads(asked) == {
        "per_minute": 1 / 120, "spread": 7200, "canary": 1, "newest_first": True,
    }  # fmt: skip
    code, _, err = said("bulk", "start", "replay", run, "--per-minute", "200000")
    assert (code, "per_minute is 0 to 100,000" in err) == (1, True)
    assert said("bulk", "start", "replay")[0] == 2
    assert said("--json", "bulk", "show", action)[1].startswith("{")
    assert "again" in said("bulk", "list")[1]
    assert said("bulk", "abort", action)[0] == 0


def test_metadata_and_variables(run, said, tmp_path):
    assert said("runs", "metadata", run, "--set", '{"a": 1}')[1] == '{"a": 1}'
    assert json.loads(said("runs", "metadata", run)[1]) == {"a": 1}
    assert said("runs", "metadata", run, "--set", "1")[0] == 2
    file = tmp_path / ".env"
    file.write_text("A=1\nexport B='two words'\n")
    assert said("envvars", "import", str(file), "--secret")[0] == 0
    assert {row.name for row in EnvVar.objects.all()} == {"A", "B"}
    assert said("envvars", "import", str(file))[0] == 1
    file.write_text("not a line")
    code, _, err = said("envvars", "import", str(file), "--override")
    assert (code, "Line 1" in err) == (1, True)
