"""The Test page's ways to say what a run gets and when it starts."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from runs.models import AuditLog, Batch, PayloadTemplate, Run
from tests.dashboard.pages.test_test import SCHEMA, token
from tests.support.rows import make_task, queued_run

pytestmark = pytest.mark.django_db

ID = 'member.["id"]'


def send(client, **fields):
    return client.post("/test/hello", {"token": token(client)} | fields)


# -- the form of a schema -----------------------------------------------------------------------------


def test_a_task_with_a_schema_has_a_form(operator):
    make_task(schema=SCHEMA)
    page = operator.get("/test/hello").content.decode()
    assert 'name="member.[&quot;id&quot;]"' in page
    assert 'name="member.' not in operator.get("/test/hello?editor=json").content.decode()


def test_a_task_without_one_has_the_text(operator):
    make_task()
    assert b'name="member.' not in operator.get("/test/hello?editor=form").content


def test_the_form_makes_a_run_and_keeps_what_it_does_not_show(operator):
    make_task(schema=SCHEMA)
    base = '{"id": 1, "more": 1.50}'
    response = send(operator, editor="form", payload=base, **{ID: "7"})
    assert response.status_code == 303
    assert json.loads(Run.objects.get().payload) == {"id": 7, "more": 1.5}
    assert "1.50" in Run.objects.get().payload


def test_what_is_wrong_stands_at_its_input_and_nothing_is_lost(operator):
    make_task(schema=SCHEMA)
    fields = {ID: "seven", 'member.["to", "mail"]': "a@b.c"}
    response = send(operator, editor="form", payload='{"id": 1}', **fields)
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="seven"' in page
    assert "id: " in page
    assert not Run.objects.exists()


def test_switching_takes_along_what_was_typed(operator):
    make_task(schema=SCHEMA)
    fields = {"editor": "form", "payload": '{"id": 1}', "tags": "x", ID: "7"}
    page = send(operator, action="json", **fields)
    assert page.status_code == 200
    assert json.loads(page.context["form"]["payload"].value()) == {"id": 7}
    assert page.context["form"]["tags"].value() == "x"
    back = send(operator, editor="json", payload='{"id": 9}', action="form")
    assert [one.value for one in back.context["editor"].inputs if one.label == "id"] == ["9"]
    assert not Run.objects.exists()


def test_a_text_that_is_no_object_stays_text(operator):
    make_task(schema=SCHEMA)
    page = send(operator, editor="json", payload="[1", action="form")
    assert page.context["editor"].way == "json"
    assert page.context["form"]["payload"].value() == "[1"


# -- many ---------------------------------------------------------------------------------------------


def test_each_line_becomes_a_run_of_one_batch(operator):
    make_task()
    fields = {"editor": "lines", "lines": '{"n": 1}\n\n{"n": 2}\n', "tags": "x"}
    once = {"token": token(operator)} | fields
    response = operator.post("/test/hello", once)
    batch = Batch.objects.get()
    assert response["Location"] == f"/batches/{batch.id}"
    runs = Run.objects.filter(batch_id=batch.id).order_by("id")
    assert [run.payload for run in runs] == ['{"n": 1}', '{"n": 2}']
    assert all(run.is_test and run.tag_list == ["x"] for run in runs)
    assert operator.post("/test/hello", once)["Location"] == f"/batches/{batch.id}"
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("lines", "more", "said"),
    [("", {}, "There is no line"), ('{"id":1}\n{', {}, "Line 2: "),
     ('{"id":1}\n\n{"id":0}', {}, "Line 3: "), ("1\n" * 101, {}, "101 lines; at most 100"),
     ('{"id":1}', {"idempotency_key": "k"}, "one run of all lines")],
)  # fmt: skip
def test_wrong_lines_make_nothing(operator, lines, more, said):
    make_task(schema=SCHEMA)
    response = send(operator, editor="lines", lines=lines, **more)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert lines.strip() in response.content.decode().replace("&quot;", '"')
    assert not Run.objects.exists()


# -- when ---------------------------------------------------------------------------------------------


def test_starts_at_a_time_of_the_viewers_zone(operator):
    make_task()
    operator.cookies["zone"] = "Europe/Zurich"
    fields = {"token": token(operator), "when": "at", "at": "2030-07-01T14:00"}
    response = operator.post("/test/hello?tz=Europe/Zurich", fields)
    assert response.status_code == 303
    assert Run.objects.get().delay_until == datetime(2030, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("at", ["", "soon", "2030-02-31T14:00"])
def test_a_time_that_is_none_makes_nothing(operator, at):
    make_task()
    response = send(operator, when="at", at=at)
    assert (response.status_code, Run.objects.count()) == (422, 0)
    assert "State a date and a time" in response.content.decode()


def test_a_delay_and_a_time_contradict(operator):
    make_task()
    response = send(operator, when="at", at="2030-07-01T14:00", delay="1h")
    assert "State one of them" in response.content.decode()


def test_again_and_again_leads_to_a_schedule(operator):
    make_task()
    response = send(operator, when="every", cron="0 5 * * *")
    where = urlsplit(response["Location"])
    assert (response.status_code, where.path) == (303, "/schedules/new")
    assert parse_qs(where.query) == {"task": ["hello"], "cron": ["0 5 * * *"]}
    assert send(operator, when="every", cron="often").status_code == 422
    assert not Run.objects.exists()


# -- templates ----------------------------------------------------------------------------------------


def test_a_template_is_kept_offered_and_replaced(operator):
    make_task()
    response = send(operator, action="keep", template_name="one", payload='{"a": 1.0}')
    kept = PayloadTemplate.objects.get()
    assert response["Location"] == f"/test/hello?template={kept.pk}"
    assert not Run.objects.exists()
    page = operator.get(response["Location"])
    assert page.context["form"]["payload"].value() == '{"a": 1.0}'
    assert b">one</a>" in page.content
    send(operator, action="keep", template_name="one", payload="2", metadata='{"b": 1}')
    kept.refresh_from_db()
    assert (kept.payload, kept.metadata) == ("2", '{"b": 1}')
    actions = list(AuditLog.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["template.create", "template.update"]


def test_a_template_needs_a_name(operator):
    make_task()
    response = send(operator, action="keep", template_name=" ", payload="1")
    assert (response.status_code, PayloadTemplate.objects.count()) == (422, 0)
    assert "name" in response.content.decode()


def test_a_template_is_deleted_once(operator, viewer):
    make_task()
    kept = PayloadTemplate.objects.create(task_id="hello", name="one", payload="1")
    where = f"/test-templates/{kept.pk}/delete"
    assert viewer.post(where).status_code == 403
    assert operator.post(where).status_code == 303
    assert operator.post(where).status_code == 404
    assert AuditLog.objects.exclude(action="access.refused").get().action == "template.delete"


def test_a_template_of_another_task_is_none(operator):
    make_task()
    kept = PayloadTemplate.objects.create(task_id="other", name="one", payload="1")
    queued_run(payload="2")
    for number in (kept.pk, 10**30, "x"):
        page = operator.get(f"/test/hello?template={number}")
        assert page.context["form"]["payload"].value() == "2"
