import re

import pytest
from django.core.management import CommandError, call_command

from runs.lifecycle import apikeys
from runs.models import ApiKey

pytestmark = pytest.mark.django_db


def test_create_prints_the_key_once_on_stdout(capsys):
    call_command("apikey", "create", "backend")
    printed = capsys.readouterr()
    assert re.fullmatch(r"tr_dev_\w{40}\n", printed.out)
    assert apikeys.verify(printed.out.strip()).name == "backend"
    assert "authorization: Bearer" in printed.err
    assert printed.out.strip() not in printed.err


def test_create_with_an_end(capsys):
    call_command("apikey", "create", "ci", "--expires", "90d")
    assert ApiKey.objects.get().expires_at is not None


def test_create_with_a_role(capsys):
    call_command("apikey", "create", "grafana", "--role", "viewer")
    assert ApiKey.objects.get().role == "viewer"


def test_list_says_whose_tokens_are_refused(capsys, settings):
    apikeys.create("backend", actor="x")
    call_command("apikey", "list")
    assert "SECRET_KEY" not in capsys.readouterr().out
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    call_command("apikey", "list")
    assert "SECRET_KEY has changed" in capsys.readouterr().out


def test_list_shows_no_key(capsys):
    _, text = apikeys.create("backend", actor="x")
    apikeys.create("old", actor="x")
    apikeys.revoke("old", actor="x")
    call_command("apikey", "list")
    out = capsys.readouterr().out
    assert text not in out
    assert re.search(r"backend +tr_dev_\w+… +admin +active +never used", out)
    assert re.search(r"old .* revoked \d{4}", out)


def test_revoke(capsys):
    _, text = apikeys.create("backend", actor="x")
    call_command("apikey", "revoke", "backend")
    assert "revoked" in capsys.readouterr().out
    assert apikeys.verify(text) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["revoke", "nobody"], "no API key “nobody”"),
        (["create", ""], "1 to 100"),
        (["create", "x", "--expires", "soon"], "--expires"),
        (["create", "x", "--role", "root"], "viewer"),
        ([], "create|list|revoke"),
    ],
)
def test_an_error_is_one_clear_sentence(arguments, words):
    with pytest.raises(CommandError, match=words) as caught:
        call_command("apikey", *arguments)
    assert "\n" not in str(caught.value)


def test_help_has_examples():
    help_text = apikey_help()
    assert "apikey create backend" in help_text
    assert "TRACKSIDE_API_KEY" in help_text


def apikey_help():
    from runs.management.commands.apikey import Command  # noqa: PLC0415  the parser needs an instance

    return Command().create_parser("manage.py", "apikey").format_help()
