import re

import pytest

from runs.models import Event, Queue, Run
from tests.support.corpora import GROUPS, documents, every, needs_corpora
from tests.support.rows import failed_run, make_queue, make_task, queued_run

pytestmark = pytest.mark.django_db


def form(client, run):
    """The fields as a browser would send them back unchanged."""
    page = client.get(f"/runs/{run.id}/replay")
    return {name: value or "" for name, value in page.context["form"].initial.items()}


def newest():
    return Run.objects.order_by("-id").first()


def test_replays_as_it_was(operator):
    run = failed_run(payload='{"n":  1e2}', tags=("eu",), concurrency_key="k")
    response = operator.post(f"/runs/{run.id}/replay", form(operator, run))
    made = newest()
    assert (response.status_code, response["Location"]) == (303, f"/runs/{made.id}")
    assert (made.payload, made.tag_list, made.concurrency_key) == (run.payload, ["eu"], "k")
    assert (made.replayed_from_id, made.actor) == (run.id, "user:otto")
    assert "Replayed" in operator.get(response["Location"]).content.decode()


def test_keeps_line_ends_a_browser_rewrites(operator):
    run = queued_run(payload='{\r\n"a": 1\n}')
    fields = form(operator, run) | {"payload": '{\r\n"a": 1\r\n}'}
    operator.post(f"/runs/{run.id}/replay", fields)
    assert newest().payload == '{\r\n"a": 1\n}'


def test_replays_with_edits(operator):
    run = queued_run(tags=("eu",))
    make_queue("slow")
    fields = form(operator, run) | {
        "payload": '{"n": 2}', "queue": "slow", "tags": "", "delay": "1h30m", "priority": "5",
        "max_attempts": "7", "max_duration": "90", "ttl": "2h", "machine": "large-1x",
        "concurrency_key": "k", "idempotency_key": "once", "metadata": '{"m": 1}',
    }  # fmt: skip
    operator.post(f"/runs/{run.id}/replay", fields)
    made = newest()
    assert (made.payload, made.queue, made.tag_list) == ('{"n": 2}', "slow", [])
    assert (made.status, made.priority, made.max_attempts) == ("DELAYED", 5, 7)
    assert (made.max_duration, made.ttl, made.machine) == (90, 7200, "large-1x")
    assert (made.concurrency_key, made.idempotency_key) == ("k", "once")
    assert made.metadata == '{"m": 1}'


def test_replays_on_a_version_and_with_a_key_for_a_while(operator):
    run = queued_run()
    fields = form(operator, run) | {"version": "v7", "idempotency_key": "k", "max_duration": "2"}
    operator.post(f"/runs/{run.id}/replay", fields | {"idempotency_ttl": "1h"})
    made = newest()
    assert (made.version, made.version_asked, made.max_duration) == ("v7", True, 5)
    assert made.idempotency_expires_at is not None


def test_a_double_click_makes_one_run(operator):
    run = queued_run()
    fields = form(operator, run)
    first = operator.post(f"/runs/{run.id}/replay", fields)
    second = operator.post(f"/runs/{run.id}/replay", fields)
    assert first["Location"] == second["Location"]
    assert Run.objects.count() == 2
    assert b"sent before" in operator.get(second["Location"]).content


def test_an_edited_form_sent_again_makes_another(operator):
    run = queued_run()
    fields = form(operator, run)
    operator.post(f"/runs/{run.id}/replay", fields)
    operator.post(f"/runs/{run.id}/replay", fields | {"payload": "[2]"})
    assert Run.objects.count() == 3


def test_points_at_the_mistake(operator):
    run = queued_run()
    fields = form(operator, run) | {"payload": '{\n  "a": 1,\n  oops\n}', "delay": "tomorrow"}
    response = operator.post(f"/runs/{run.id}/replay", fields)
    page = " ".join(response.content.decode().split())
    assert response.status_code == 422
    assert 'data-line="3" data-column="3"' in page
    assert "oops" in page
    assert "tomorrow" in page
    assert Run.objects.count() == 1


def test_says_what_the_schema_wants(operator):
    make_task("strict", schema='{"type": "object", "required": ["id"]}')
    run = queued_run("strict", payload='{"id": 1}')
    response = operator.post(f"/runs/{run.id}/replay", form(operator, run) | {"payload": "{}"})
    assert response.status_code == 422
    assert b"&#x27;id&#x27; is a required property" in response.content


def test_an_unknown_queue_is_named_at_its_field(operator):
    run = queued_run()
    response = operator.post(f"/runs/{run.id}/replay", form(operator, run) | {"queue": "nope%s"})
    assert response.status_code == 422
    assert "There is no queue named “nope%s”" in response.content.decode()


def test_replays_to_the_tasks_queue_when_its_own_is_gone(operator):
    make_queue("slow")
    run = queued_run(queue="slow")
    Run.objects.filter(pk=run.pk).update(queue="gone")
    Queue.objects.filter(name="slow").delete()
    assert operator.post(f"/runs/{run.id}/replay", form(operator, run)).status_code == 303


def test_a_large_payload_is_replayed_as_it_is(operator):
    text = '"' + "x" * 1_100_000 + '"'
    run = queued_run(payload=text)
    page = operator.get(f"/runs/{run.id}/replay").content
    assert len(page) < 200_000
    operator.post(f"/runs/{run.id}/replay", form(operator, run))
    assert newest().payload == text


def test_a_viewer_sees_why_the_button_is_off(viewer):
    run = queued_run()
    page = viewer.get(f"/runs/{run.id}/replay").content.decode()
    assert 'aria-disabled="true"' in page
    assert "Can change run" in page
    assert viewer.post(f"/runs/{run.id}/replay", form(viewer, run)).status_code == 403
    assert Run.objects.count() == 1


def test_leaves_a_trace_on_the_original(operator):
    run = failed_run()
    operator.post(f"/runs/{run.id}/replay", form(operator, run))
    assert Event.objects.filter(run_id=run.id, kind="replayed", actor="user:otto").exists()


@needs_corpora
@pytest.mark.once
@pytest.mark.parametrize("group", GROUPS)
def test_any_document_is_kept_exactly_or_refused(operator, group):
    """The form's part; that both databases keep every document is tried beside the API."""
    run = queued_run()
    fields = form(operator, run)

    def holds(name, text):
        response = operator.post(f"/runs/{run.id}/replay", fields | {"payload": text})
        assert response.status_code in (303, 422)
        assert response.status_code == 303 or group != "y"
        if response.status_code == 303 and text.strip() and "\r" not in text:
            made = Run.objects.get(pk=response["Location"].removeprefix("/runs/"))
            assert made.payload == text.strip(" \t\n")
            assert operator.get(f"/runs/{made.id}?tab=payload").status_code == 200

    every(holds, forms(group))


def forms(group):
    """Documents a browser could send: a form is always UTF-8."""
    found = documents(group).items()
    return {
        name: raw.decode() for name, raw in found if raw == raw.decode(errors="ignore").encode()
    }


def test_the_editor_keeps_every_character(operator):
    run = queued_run(payload='["\\u0000</textarea><script>alert(1)</script>&amp;\\r"]')
    page = operator.get(f"/runs/{run.id}/replay").content.decode()
    found = re.search(r'<textarea[^>]*id="id_payload"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    assert "&lt;/textarea&gt;" in found[1]
    assert "<script>alert" not in page
