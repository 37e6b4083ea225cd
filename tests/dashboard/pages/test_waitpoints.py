import json

import pytest
from pydantic import BaseModel

from runs.lifecycle import tokens
from runs.models import AuditLog, Run, Waitpoint
from tests.support import factories

pytestmark = pytest.mark.django_db


class Order(BaseModel):
    approved: bool
    amount: int
    size: str = "small"
    note: str | None = None


def made(**options):
    return tokens.create(**options)[0]


def page(response):
    return response.content.decode()


def path_of(token):
    """The address without the host."""
    return "/" + tokens.url(token.pk).split("/", 3)[3]


def test_the_list_shows_filters_and_pages(viewer):
    first, second = made(tags=["approval"], key="order-7"), made()
    tokens.complete(second.pk, "1", by="user:ada")
    everything = page(viewer.get("/wait-tokens"))
    assert first.pk[-6:] in everything
    assert "order-7" in everything
    waiting = page(viewer.get("/wait-tokens?status=WAITING"))
    assert second.pk[-6:] not in waiting
    for search in ("approval", "order-7", first.pk):
        assert second.pk[-6:] not in page(viewer.get(f"/wait-tokens?search={search}"))


def test_older_tokens_are_on_the_next_page(viewer):
    found = [made().pk for _ in range(51)]
    first = page(viewer.get("/wait-tokens"))
    assert found[0][-6:] not in first
    older = page(viewer.get(f"/wait-tokens?before={found[1]}"))
    assert found[0][-6:] in older


def test_of_those_that_wait_the_next_to_time_out_is_first(viewer):
    never, late, soon = made(), made(timeout=7200.0), made(timeout=60.0)
    text = page(viewer.get("/wait-tokens?status=WAITING"))
    places = [text.index(token.pk) for token in (soon, late, never)]
    assert places == sorted(places)
    for _ in range(50):
        made(timeout=600.0)
    first = page(viewer.get("/wait-tokens?status=WAITING"))
    assert never.pk not in first
    assert "before=50" in first
    assert never.pk in page(viewer.get("/wait-tokens?status=WAITING&before=50"))
    assert viewer.get("/wait-tokens?status=WAITING&before=x").status_code == 200


def test_an_unchanged_list_is_not_sent_again(viewer):
    made()
    text = page(viewer.get("/wait-tokens"))
    version = text.split('data-send="v" data-value="')[1].split('"')[0]
    again = viewer.get(f"/wait-tokens?v={version}", headers={"HX-Request": "true"})
    assert again.status_code == 204


def test_an_operator_completes_a_token_and_its_run_goes_on(operator):
    token = made()
    one = factories.executing_run()
    factories.suspend(one, targets=(token.pk,))
    assert "Runs that wait for it" in page(operator.get(f"/wait-tokens/{token.pk}"))
    response = operator.post(
        f"/wait-tokens/{token.pk}", {"answer": "approve", "comment": "fine"}, follow=True
    )
    assert "completed" in page(response)
    token.refresh_from_db()
    assert json.loads(token.output) == {"approved": True, "comment": "fine"}
    assert token.completed_by == "user:otto"
    assert Run.objects.get(pk=one.run_id).status == "QUEUED"


def test_a_viewer_may_not(viewer):
    token = made()
    assert viewer.post(f"/wait-tokens/{token.pk}", {"answer": "approve"}).status_code == 403
    assert Waitpoint.objects.get().is_waiting


def test_a_token_is_timed_out_by_hand(operator):
    token = made()
    operator.post(f"/wait-tokens/{token.pk}", {"action": "time_out"})
    assert Waitpoint.objects.get().status == "TIMED_OUT"
    assert AuditLog.objects.get().action == "waitpoint.time_out"


def test_a_token_fails_with_words_and_its_run_goes_on(operator, viewer):
    token = made()
    one = factories.executing_run()
    factories.suspend(one, targets=(token.pk,))
    path = f"/wait-tokens/{token.pk}"
    assert "1 run goes on at once" in page(operator.get(path))
    assert viewer.post(path, {"action": "fail", "message": "no"}).status_code == 403
    empty = operator.post(path, {"action": "fail", "message": "  "})
    assert (empty.status_code, "Say what went wrong" in page(empty)) == (422, True)
    answer = operator.post(path, {"action": "fail", "message": "the bank refused"}, follow=True)
    assert "The token is failed" in page(answer)
    assert "the bank refused" in page(answer)
    assert AuditLog.objects.exclude(action="access.refused").get().action == "waitpoint.fail"
    assert Run.objects.get(pk=one.run_id).status == "QUEUED"


def test_who_comes_second_is_told(operator):
    token = made()
    tokens.complete(token.pk, "1", by="url")
    response = operator.post(f"/wait-tokens/{token.pk}", {"answer": "approve"}, follow=True)
    assert "Somebody was faster" in page(response)


def test_bad_json_is_refused_with_its_place(operator):
    token = made()
    response = operator.post(f"/wait-tokens/{token.pk}", {"json": "{"})
    assert response.status_code == 422
    assert Waitpoint.objects.get().is_waiting


def test_an_unknown_token_is_not_found(viewer):
    assert viewer.get("/wait-tokens/waitpoint_none").status_code == 404


def test_the_address_shows_a_form_and_takes_the_answer_without_login(client):
    token = made(timeout=3600.0, tags=["invoice-7"])
    form = page(client.get(path_of(token)))
    assert "Approve" in form
    assert "invoice-7" in form
    assert "<script" not in form
    thanks = client.post(path_of(token), {"answer": "reject", "comment": "too much"})
    assert "Thank you" in page(thanks)
    again = client.post(path_of(token), {"answer": "approve"})
    assert "answered already" in page(again)
    assert "answered already" in page(client.get(path_of(token)))
    token.refresh_from_db()
    assert json.loads(token.output) == {"approved": False, "comment": "too much"}
    assert token.completed_by == "url"


def test_looking_at_the_address_completes_nothing(client):
    token = made()
    client.get(path_of(token))
    client.head(path_of(token))
    assert Waitpoint.objects.get().is_waiting


def test_the_form_comes_from_the_schema(client):
    token = made(schema=json.dumps(Order.model_json_schema()))
    text = page(client.get(path_of(token)))
    assert "Approved" in text
    assert 'value="small"' in text
    typed = {'member.["approved"]': "true", 'member.["amount"]': "x", 'member.["size"]': "big"}
    wrong = client.post(path_of(token), typed)
    assert (wrong.status_code, "amount: " in page(wrong)) == (422, True)
    assert 'value="big"' in page(wrong)  # nobody types it twice
    client.post(path_of(token), typed | {'member.["amount"]': "7"})
    token.refresh_from_db()
    told = {"approved": True, "amount": 7, "size": "big", "note": None}
    assert json.loads(token.output) == told


def test_what_the_schema_asks_for_and_nobody_said_is_refused(client):
    token = made(schema=json.dumps(Order.model_json_schema()))
    wrong = client.post(path_of(token), {'member.["amount"]': "7"})
    assert (wrong.status_code, 'value="7"' in page(wrong)) == (422, True)
    assert Waitpoint.objects.get().is_waiting


def test_true_or_false_is_two_buttons(client):
    token = made(schema='{"type": "boolean"}')
    text = page(client.get(path_of(token)))
    assert "Approve" in text
    assert "comment" not in text
    client.post(path_of(token), {"answer": "reject"})
    token.refresh_from_db()
    assert token.output == "false"


def test_a_schema_without_members_is_json(client):
    token = made(schema='{"type": "array"}')
    assert 'name="json"' in page(client.get(path_of(token)))


@pytest.mark.parametrize(
    ("body", "output"),
    [(b'{"a": 1}', '{"a": 1}'), (b"[1]", "[1]"), (b"not json", "{}"), (b"", "{}")],
)
def test_a_program_completes_by_post(client, body, output):
    token = made()
    response = client.post(path_of(token), body, content_type="application/json")
    assert response.json() == {"success": True, "status": "COMPLETED"}
    token.refresh_from_db()
    assert token.output == output


def test_a_program_that_sends_too_much_is_refused(client, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "PAYLOAD_LIMIT": 10, "METADATA_LIMIT": 10}
    token = made()
    response = client.post(
        path_of(token), b'"' + b"x" * 9_000_000 + b'"', content_type="text/plain"
    )
    assert response.status_code == 413
    assert Waitpoint.objects.get().is_waiting


@pytest.mark.parametrize("signature", ["", "0" * 64, "x"])
def test_a_wrong_signature_finds_nothing(client, signature):
    token = made()
    response = client.get(f"/wait/{token.pk}/{signature or 'none'}")
    assert response.status_code == 404
    posted = client.post(f"/wait/{token.pk}/{signature or 'none'}", b"1", content_type="text/plain")
    assert posted.status_code == 404
    assert Waitpoint.objects.get().is_waiting


def test_the_address_is_kept_private(client):
    token = made()
    response = client.get(path_of(token))
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "no-store"
    assert client.put(path_of(token)).status_code == 405
