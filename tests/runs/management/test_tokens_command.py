import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runs.models import Waitpoint

pytestmark = pytest.mark.django_db


def call(*arguments):
    out = StringIO()
    call_command("tokens", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_makes_a_token_once_for_a_key():
    made = call("create", "--timeout", "1h", "--tag", "a", "--idempotency-key", "k")
    assert call("create", "--idempotency-key", "k") == made
    token = Waitpoint.objects.get(pk=made)
    assert (token.tag_list, token.timeout_at is not None) == (["a"], True)


def test_completes_it_and_shows_what_with():
    made = call("create")
    assert call("complete", made, '{"a": 1}') == f"{made} completed"
    assert call("show", made).splitlines()[1] == '{"a": 1}'
    facts = json.loads(call("show", made, "--json"))
    assert (facts["status"], facts["output"]) == ("COMPLETED", {"a": 1})


def test_lists_by_status_and_tag():
    first, second = call("create", "--tag", "a"), call("create", "--tag", "b")
    call("complete", first)
    assert [row.split()[0] for row in call("list").splitlines()] == [second, first]
    assert call("list", "--status", "waiting").split()[0] == second
    assert call("list", "--tag", "a").split()[0] == first


@pytest.mark.parametrize(
    "words", [("show", "nobody"), ("complete", "a\x00"), ("complete", "nobody")]
)
def test_a_token_that_is_not_there_is_one_sentence(words):
    with pytest.raises(CommandError, match="no"):
        call(*words)


def test_data_that_is_not_json_completes_nothing():
    made = call("create")
    with pytest.raises(CommandError):
        call("complete", made, "{")
    assert Waitpoint.objects.get(pk=made).status == "WAITING"
