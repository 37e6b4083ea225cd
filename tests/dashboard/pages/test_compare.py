import json

import pytest

from dashboard import sight
from dashboard.pages import compare, compare_texts
from dashboard.sight import Sight
from runs import lifecycle
from runs.models import Run
from tests.dashboard.pages.conftest import client_of
from tests.support.factories import claim, complete, ended_run, session, start, trigger
from tests.support.failing import BILLING, error, failed_run, recovered_run
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def shown(client, **asked):
    response = client.get("/runs/compare", asked)
    assert response.status_code == 200
    return response.content.decode()


def difference(a, b, seen=Sight.STORED):
    with sight.using(seen):
        return compare_texts.difference("Payload", "payload", a, b)


def told(found):
    return [(line.kind, line.text.strip()) for line in found.lines if line.kind in ("gone", "new")]


def test_a_failure_beside_the_last_success(viewer):
    good = ended_run(payload='{"country": "DE", "big": 12345678901234567890.10}')
    bad = failed_run(payload='{"country": "CH", "big": 12345678901234567890.10}', version="2")
    text = shown(viewer, a=good.pk, b=bad.pk)
    assert "no card" in text
    assert "&quot;country&quot;: &quot;DE&quot;" in text
    assert "&quot;country&quot;: &quot;CH&quot;" in text
    assert "12345678901234567890.10" in text
    assert "Only B failed" in text
    assert ", different" in text


def test_only_what_differs_is_shown_until_asked(viewer):
    a, b = ended_run(), ended_run()
    assert ">Machine" not in shown(viewer, a=a.pk, b=b.pk)
    assert ">Machine" in shown(viewer, a=a.pk, b=b.pk, all="1")


def test_attempts_of_one_run(viewer):
    run = recovered_run(payload="1")
    text = shown(viewer, a=f"{run.pk}:1", b=f"{run.pk}:2")
    assert "Attempts 1 and 2" in text
    assert "Only A failed" in text
    assert "Attempts of one run have one payload" in text


def test_stacks_part_at_a_frame(viewer):
    deep = {"file": "/srv/app/tasks/pay.py", "line": 3, "function": "pay", "own": True}
    a = failed_run(error(frames=[BILLING, deep]))
    b = failed_run(error(frames=[BILLING, deep | {"line": 9, "function": "refund"}]))
    text = shown(viewer, a=a.pk, b=b.pk)
    assert "The first 1 frames are the same; frame 2 is the first that differs." in text
    assert "/srv/app/tasks/pay.py:9" in text


def test_a_run_that_has_not_begun(viewer):
    text = shown(viewer, a=ended_run().pk, b=trigger().pk)
    assert "Queued" in text


def test_it_costs_few_reads(viewer, few_reads):
    a, b = ended_run(), failed_run()
    shown(viewer, a=a.pk, b=b.pk)
    with few_reads(16):
        shown(viewer, a=a.pk, b=b.pk)


def test_one_side_missing_offers_the_other(viewer):
    good, bad = ended_run(), failed_run()
    text = shown(viewer, b=bad.pk)
    assert "The last success of the task" in text
    assert f"a={good.pk}&amp;b={bad.pk}" in text
    assert f'value="{bad.pk}"' in text


def test_both_missing_asks(viewer):
    assert "A run's id, or an attempt of it" in shown(viewer)


@pytest.mark.parametrize("wrong", ["run_x", "run_x:2", "nonsense", "\x00", ":", "run_" + "x" * 99])
def test_what_is_not_there_keeps_the_form(viewer, wrong):
    bad = failed_run()
    response = viewer.get("/runs/compare", {"a": wrong, "b": bad.pk})
    expected = 200 if wrong == "\x00" else 400
    assert response.status_code == expected
    assert bad.pk in response.content.decode()


def test_an_attempt_that_is_not_there(viewer):
    run = failed_run()
    response = viewer.get("/runs/compare", {"a": f"{run.pk}:7", "b": run.pk})
    assert response.status_code == 400
    assert "has no attempt 7" in response.content.decode()


def test_suggestions():
    good = ended_run()
    replay = Run.objects.get(pk=lifecycle.replay(good.pk, actor="user:ada").run_id)
    by = session()
    one = claim(by)[0]
    start(one)
    complete(one)
    words = dict(compare.suggested(replay))
    assert f"a={good.pk}&b={replay.pk}" in words["Its original"]
    assert f"a={good.pk}&b={replay.pk}" in dict(compare.suggested(good))["Its newest replay"]
    assert "Attempt 2 with attempt 1" in dict(compare.suggested(recovered_run()))


def test_documents_are_compared_as_they_are_written():
    found = difference('{"a":1.0,"b":[1,2]}', '{"a":1.00,"b":[1,2]}')
    assert told(found) == [("gone", '"a": 1.0,'), ("new", '"a": 1.00,')]
    assert difference('{"a":1}', '{"a": 1}').said == "They differ in white space alone."
    assert difference("[1]", "[1]").said == "The same, byte for byte. 3 characters."
    assert difference(None, None) is None
    assert told(difference(None, "1")) == [("new", "1")]


def test_unchanged_lines_far_away_are_left_out():
    a = json.dumps({f"k{number}": number for number in range(100)})
    found = difference(a, a.replace('"k50": 50', '"k50": 51'))
    assert (found.gone, found.new) == (1, 1)
    assert len(found.lines) < 15
    assert [line.text for line in found.lines if line.kind == "skip"] == [
        "48 unchanged lines",
        "47 unchanged lines",
    ]
    assert [(line.a, line.b) for line in found.lines if line.kind == "gone"] == [(52, 0)]


def test_large_documents_say_where_they_part():
    a = json.dumps(["x" * 100] * 3000)
    found = difference(a, a[:-5] + 'y"]')
    assert "Too large to show line by line" in found.said
    a, b = json.dumps(list(range(9000))), json.dumps(list(range(9000, 18000)))
    assert "Too much differs" in difference(a, b).said


def test_what_may_not_be_seen_is_not_compared():
    found = difference('{"a": 1}', '{"a": 2}', Sight.NOTHING)
    assert (found.said, found.lines) == (sight.HIDDEN, [])


def test_secrets_stay_masked():
    found = difference('{"password": "one"}', '{"password": "two", "a": 1}', Sight.REDACTED)
    assert found.masked
    assert not any("one" in line.text or "two" in line.text for line in found.lines)


def test_people_who_may_not_read_payloads(db):
    a, b = ended_run(payload='"topsecret"'), failed_run(error("topsecret"))
    text = shown(client_of(make_user("vic", "view_run")), a=a.pk, b=b.pk)
    assert "topsecret" not in text
