"""What may be done with a run from its page, and where it leads."""

import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import streams
from runs.models import AuditLog, ErrorGroup, Failure, Idempotency, Run, Task
from tests.support.rows import (
    completed_run,
    executing_run,
    failed_run,
    make_queue,
    make_session,
    queued_run,
)

pytestmark = pytest.mark.django_db


def text(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_neighbours_are_those_of_the_list(viewer):
    runs = [queued_run(task) for task in ("a", "b", "a")]
    beside = f"/runs/{runs[2].pk}/beside"
    answer = viewer.get(f"{beside}/next?list=task%3Da&tab=logs")
    assert answer["Location"] == f"/runs/{runs[0].pk}?tab=logs&list=task%3Da"
    assert viewer.get(f"{beside}/next")["Location"] == f"/runs/{runs[1].pk}"
    answer = viewer.get(f"{beside}/previous", follow=True)
    assert "the newest run of the list" in answer.content.decode()
    assert viewer.get(f"{beside}/next?list=%00%26cols=%ff").status_code == 303


def test_the_list_one_came_from_is_kept_on_the_page(viewer):
    page = text(viewer, f"/runs/{queued_run().pk}?list=task%3Da%26period%3D7d")
    assert 'href="/runs?task=a&amp;period=7d"' in page
    assert "list=task%3Da%26period%3D7d" in page


def test_a_key_is_reset_after_a_question(operator, viewer):
    run = queued_run(idempotency_key="order-7")
    address = f"/runs/{run.pk}/reset-key"
    assert address in text(operator, f"/runs/{run.pk}")
    assert "order-7" in text(operator, address)
    assert viewer.post(address).status_code == 403
    assert operator.post(address).status_code == 303
    assert not Idempotency.objects.filter(run_id=run.pk).exists()
    assert AuditLog.objects.filter(action="key.reset").exists()
    assert address not in text(operator, f"/runs/{run.pk}")


def test_without_a_key_there_is_nothing_to_reset(operator):
    run = queued_run()
    assert operator.post(f"/runs/{run.pk}/reset-key").status_code == 409


def test_a_snippet_triggers_the_same(viewer):
    run = queued_run(payload="""{"name": "O'Neil", "n": 1e2}""", tags=("user_1",))
    page = viewer.get(f"/runs/{run.pk}/snippet")
    told = {name: words for name, _, words in page.context["snippets"]}
    assert "'\"'\"'" in told["curl"]
    assert '"n": 1e2' in told["curl"]
    assert f"/api/v1/tasks/{run.task_id}/trigger" in told["curl"]
    compile(told["client"], "client", "exec")
    compile(told["code"], "code", "exec")
    assert "tags=['user_1']" in told["code"]


def test_a_report_tells_it_all(viewer):
    run = failed_run()
    streams_before = viewer.get(f"/runs/{run.pk}/raw/report")
    report = streams_before.content.decode()
    assert streams_before["content-type"].startswith("text/markdown")
    assert "attachment" in streams_before["content-disposition"]
    for words in (
        "# Failed: hello",
        "mailbox is full",
        "## Attempts",
        "### Attempt 1",
        "## Payload",
    ):
        assert words in report
    assert "tasks/mail.py:18" in report


def test_a_fence_in_a_payload_does_not_end_the_report(viewer):
    run = queued_run(payload=json.dumps("```\n# no heading"))
    assert "````json" in viewer.get(f"/runs/{run.pk}/raw/report").content.decode() or (
        "\n# no heading" not in viewer.get(f"/runs/{run.pk}/raw/report").content.decode()
    )


# -- why ----------------------------------------------------------------------------------------------


def test_a_failure_is_explained_above_the_tabs(viewer):
    run = failed_run()
    page = text(viewer, f"/runs/{run.pk}?tab=detail")
    assert "What went wrong" in page
    assert "DeliveryError" in page
    assert f"/runs/{run.pk}?tab=attempts#attempt-1-frame-2" in page


def test_a_failure_leads_to_its_group(viewer):
    run, now = failed_run(), timezone.now()
    case = Failure.objects.get(run_id=run.pk)
    ErrorGroup.objects.create(
        fingerprint=case.fingerprint, task_id=run.task_id, name="DeliveryError", first_at=now,
        last_at=now, first_run_id=run.pk, last_run_id=run.pk, total=41, changed_at=now,
    )  # fmt: skip
    page = text(viewer, f"/runs/{run.pk}?tab=detail")
    assert re.search(rf'/errors/{case.fingerprint}">41 times', page)


def test_known_errors_have_a_hint(viewer):
    error = json.dumps({"name": "ModuleNotFoundError", "message": "No module named 'x'"})
    page = text(viewer, f"/runs/{failed_run(error=error).pk}?tab=detail")
    assert "runs other code than yours" in page


def test_a_retry_tells_its_policy_and_its_cause(viewer):
    run = queued_run()
    config = {"retry": {"max_attempts": 5, "factor": 2, "min_timeout": 1, "max_timeout": 60}}
    Task.objects.filter(pk=run.task_id).update(config=json.dumps(config))
    due = timezone.now() + timedelta(seconds=38)
    error = json.dumps({"name": "TimeoutError", "message": "no answer"})
    Run.objects.filter(pk=run.pk).update(
        attempt_number=1, max_attempts=5, retry_at=due, error=error
    )
    page = text(viewer, f"/runs/{run.pk}?tab=detail")
    assert "5 attempts, 1.0 s to 1 m between them, growing by 2" in page
    assert "What the last attempt failed with" in page
    assert "no answer" in page


def test_which_limit_was_met(viewer):
    run = queued_run(ttl=60.0)
    begun = timezone.now() - timedelta(seconds=90)
    Run.objects.filter(pk=run.pk).update(queued_at=begun, expires_at=begun)
    lifecycle.expire_due()
    page = text(viewer, f"/runs/{run.pk}?tab=detail")
    assert "its time to live is 1 m" in page


def test_all_queues_paused_is_said(viewer):
    make_session()
    make_queue("slow")
    run = queued_run(queue="slow")
    lifecycle.pause_all(actor="user:ada", reason="moving")
    page = text(viewer, f"/runs/{run.pk}?tab=detail")
    assert "All queues are paused by ada: moving" in page


# -- context and streams ------------------------------------------------------------------------------


def test_the_context_is_what_code_calls_it(viewer):
    run, _ = executing_run(tags=("user_1",), metadata='{"step": 1}')
    page = text(viewer, f"/runs/{run.pk}?tab=context")
    assert f"<dt>ctx.run.id</dt><dd>&quot;{run.pk}&quot;</dd>" in page
    assert "<dt>ctx.attempt.number</dt><dd>1</dd>" in page
    assert "[&quot;user_1&quot;]" in page
    assert "step" in page


def test_streams_are_shown_with_what_they_say(viewer):
    run, _ = executing_run()
    streams.append(run.pk, "answer", ['"Hel"', '"lo <b>"'])
    streams.append(run.pk, "numbers", ["1", "2"])
    page = text(viewer, f"/runs/{run.pk}?tab=streams")
    assert "Hello &lt;b&gt;" in page
    assert "numbers" in page
    token = re.search(r'data-value="(\w{8})"', page)[1]
    live = f"/runs/{run.pk}/live?tab=streams&stream=answer&v={token}"
    assert viewer.get(live).status_code == 204
    streams.append(run.pk, "answer", ['"!"'])
    assert "Hello &lt;b&gt;!" in viewer.get(live).content.decode()


def test_long_streams_come_in_parts(viewer):
    run, _ = executing_run()
    streams.append(run.pk, "n", [str(n) for n in range(250)])
    page = text(viewer, f"/runs/{run.pk}?tab=streams&stream=n")
    assert "150 earlier chunks" in page
    assert 'id="chunk-249"' in page
    page = text(viewer, f"/runs/{run.pk}?tab=streams&stream=n&from=50")
    assert 'id="chunk-50"' in page
    assert "Later chunks" in page


def test_a_message_is_sent_to_an_input(operator, viewer):
    run, _ = executing_run()
    address, message = f"/runs/{run.pk}/input", {"key": "approval", "message": '{"ok": true}'}
    assert viewer.post(address, message).status_code == 403
    answer = operator.post(address, message, follow=True).content.decode()
    assert "Sent as message 0" in answer
    assert "to approval" in answer


@pytest.mark.parametrize(
    "message", [{"key": "", "message": "1"}, {"key": "a", "message": "{<b>"}, {}]
)
def test_what_is_no_message_is_refused_and_kept(operator, message):
    run, _ = executing_run()
    answer = operator.post(f"/runs/{run.pk}/input", message)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Nothing was changed" in page
    assert ("{&lt;b&gt;</textarea>" in page) is ("{<b>" in message.get("message", ""))


def test_an_ended_run_takes_no_message(operator):
    run = completed_run()
    answer = operator.post(f"/runs/{run.pk}/input", {"key": "a", "message": "1"})
    assert "has ended" in answer.content.decode()


def test_tags_are_added(operator, viewer):
    run = queued_run()
    address = f"/runs/{run.pk}/tags"
    assert viewer.post(address, {"tags": "a"}).status_code == 403
    page = operator.post(address, {"tags": "vip, shop:7"}, follow=True).content.decode()
    assert "Tagged with vip, shop:7." in page
    assert Run.objects.get(pk=run.pk).tag_list == ["shop:7", "vip"]
    assert AuditLog.objects.filter(action="run.tags").exists()
    too_long = operator.post(address, {"tags": "x" * 200})
    assert too_long.status_code == 422
    assert f'value="{"x" * 200}"' in too_long.content.decode()


def test_metadata_is_changed_by_one_value(operator, viewer):
    run, _ = executing_run(metadata='{"step": 1, "keep": true}')
    address = f"/runs/{run.pk}/metadata"
    assert viewer.post(address, {"key": "step", "value": "2"}).status_code == 403
    operator.post(address, {"key": "step", "value": '{"of": 3}'})
    assert json.loads(Run.objects.get(pk=run.pk).metadata) == {"step": {"of": 3}, "keep": True}
    operator.post(address, {"key": "keep", "remove": "1"})
    assert json.loads(Run.objects.get(pk=run.pk).metadata) == {"step": {"of": 3}}
    wrong = operator.post(address, {"key": "step", "value": "{no"})
    assert wrong.status_code == 422
    assert "{no</textarea>" in wrong.content.decode()
