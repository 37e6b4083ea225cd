import io
import json
import re

import pytest
from django.core.management import CommandError, call_command

from runs.lifecycle import envvars
from runs.models import EnvVar

pytestmark = pytest.mark.django_db


def values():
    return envvars.loaded().values


def test_sets_and_deletes(capsys):
    call_command("envvars", "set", "SHOP_NAME", "Corner shop")
    assert (values(), EnvVar.objects.get().is_secret) == ({"SHOP_NAME": "Corner shop"}, False)
    assert EnvVar.objects.get().updated_by.startswith("cli:")
    call_command("envvars", "set", "SHOP_NAME", "Corner shop")
    assert "is what it was" in capsys.readouterr().out
    call_command("envvars", "delete", "SHOP_NAME")
    assert values() == {}


def test_reads_a_value_from_stdin(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\nhush\n"))
    call_command("envvars", "set", "SHOP_KEY", "--secret")
    assert (values(), EnvVar.objects.get().is_secret) == ({"SHOP_KEY": "hush\nhush"}, True)
    assert "hush" not in capsys.readouterr().out


def test_lists_without_secrets(capsys):
    envvars.put({"A": "plain\x1b[31m"}, actor="x")
    envvars.put({"B": "hush"}, actor="x", secret=True)
    call_command("envvars", "list")
    assert "plain\x1b" not in (out := capsys.readouterr().out)
    assert re.search(r"A +plain +\d{4}-\d\d-\d\d\nB +secret", out)
    call_command("envvars", "list", "--values")
    out = capsys.readouterr().out
    assert ("plain�[31m" in out, "<redacted>" in out, "hush" in out) == (True, True, False)
    call_command("envvars", "list", "--values", "--json")
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"name": "A", "is_secret": False, "value": "plain\x1b[31m"}
    assert rows[1]["value"] == "<redacted>"


def test_imports_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / ".env").write_text("A=1\nB='2'\n")
    call_command("envvars", "import", str(tmp_path / ".env"))
    assert (values(), "2 of 2" in capsys.readouterr().out) == ({"A": "1", "B": "2"}, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("A=3"))
    call_command("envvars", "import", "-", "--override")
    assert values()["A"] == "3"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["delete", "A"], "no environment variable 'A'"),
        (["set", "A B", "1"], "letters, digits"),
        (["set", "SECRET_KEY", "1"], "is reserved"),
        (["import", "/nowhere/.env"], "Cannot read /nowhere/.env"),
        ([], "list|set|import|delete"),
    ],
)
def test_an_error_is_one_clear_sentence(arguments, words):
    with pytest.raises(CommandError, match=words) as caught:
        call_command("envvars", *arguments)
    assert "\n" not in str(caught.value)
