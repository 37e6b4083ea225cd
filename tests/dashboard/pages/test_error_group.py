import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import errorgroups
from runs.models import AuditLog, ErrorEvent, ErrorGroup, Run
from tests.support.factories import ended_run
from tests.support.failing import error, failed_run, group_of

pytestmark = pytest.mark.django_db
ADA = "user:ada"


@pytest.fixture
def group():
    return group_of(failed_run(error("order 7 has no card")))


def page(group):
    return f"/errors/{group.pk}"


def shown(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def sent(client, group, action, **fields):
    return client.post(page(group), {"action": action, "seen": group.revision, **fields})


def reread(group):
    return ErrorGroup.objects.get(pk=group.pk)


def test_the_page_tells_all(viewer, group):
    text = shown(viewer, page(group))
    assert "order 7 has no card" in text
    assert "/srv/app/tasks/billing.py:12" in text
    assert f"/runs/{group.last_run_id}" in text
    assert f"/runs?error={group.pk}" in text
    assert "By version" in text
    assert "Seen for the first time" in text
    (replay,) = re.findall(r'href="(/bulk/new[^"]+)"', text)
    assert "Replay 1 run" in shown(viewer, html.unescape(replay))


def test_every_window(viewer, group):
    for period in ("1h", "3h", "24h", "3d", "30d", "90d", "nonsense"):
        assert "Failures in the last" in shown(viewer, f"{page(group)}?period={period}")


def test_it_costs_few_reads(viewer, group, few_reads):
    ended_run()
    shown(viewer, page(group))
    with few_reads(11):
        shown(viewer, page(group))


def test_an_unknown_error_is_a_page(viewer):
    response = viewer.get("/errors/feedfeedfeedfeed")
    assert response.status_code == 404
    assert "There is no error feedfeedfeedfeed" in response.content.decode()


def test_its_run_may_have_gone(viewer, group):
    Run.objects.all().delete()
    assert "no longer kept" in shown(viewer, page(group))


def test_when_it_broke(viewer):
    good = ended_run()
    group = group_of(failed_run(version="2"))
    text = shown(viewer, page(group))
    assert "Last good before it" in text
    assert f"/runs/{good.pk}" in text
    assert "The version changed in between" in text


def test_resolve(operator, group):
    response = sent(operator, group, "resolve", version="9", reason="mended")
    assert (response.status_code, response.url) == (303, page(group))
    after = reread(group)
    assert (after.status, after.resolved_in, after.changed_by) == ("resolved", "9", "user:otto")
    assert AuditLog.objects.get().actor == "user:otto"
    assert "Resolved" in shown(operator, page(group))


def test_ignore_for_a_day(operator, group):
    assert sent(operator, group, "ignore", hours="24", rate="5").status_code == 303
    after = reread(group)
    assert after.status == "ignored"
    assert timedelta(hours=23) < after.ignored_until - timezone.now() <= timedelta(hours=24)
    assert "more than 5 failures within an hour" in shown(operator, page(group))


def test_reopen(operator, group):
    group = errorgroups.resolve(group.pk, actor=ADA)
    assert sent(operator, group, "reopen").status_code == 303
    assert reread(group).status == "unresolved"


def test_take_assign_and_note(operator, group):
    assert sent(operator, group, "take").status_code == 303
    assert reread(group).assignee == "otto"
    assert sent(operator, reread(group), "assign", assignee="").status_code == 303
    assert sent(operator, group, "note", text="<b>asked</b>").status_code == 303
    assert ErrorEvent.objects.filter(kind="noted").get().text == "<b>asked</b>"
    assert "&lt;b&gt;asked" in shown(operator, page(group))


def test_a_stale_form_changes_nothing_and_keeps_what_was_typed(operator, group):
    errorgroups.resolve(group.pk, actor=ADA)
    response = sent(operator, group, "ignore", reason="known since May")
    text = response.content.decode()
    assert response.status_code == 409
    assert "it changed while you looked at it" in text
    assert "known since May" in text
    assert f'name="seen" value="{reread(group).revision}"' in text
    assert reread(group).status == "resolved"


NONSENSE = [
    ("ignore", {"until": "2001-01-01T00:00"}),
    ("ignore", {"rate": "0"}),
    ("ignore", {"count": "lots"}),
    ("ignore", {"hours": "7"}),
    ("resolve", {"version": "x" * 65}),
    ("note", {"text": ""}),
    ("note", {"text": "x" * 5001}),
    ("assign", {"assignee": "x\x00"}),
]


def test_nonsense_is_said_at_the_form(operator, group):
    for action, fields in NONSENSE:
        response = sent(operator, group, action, **fields)
        assert response.status_code == 422, (action, fields)
        assert 'class="error"' in response.content.decode()
    assert reread(group).revision == 0


def test_an_unknown_button(operator, group):
    assert sent(operator, group, "explode").status_code == 400


def test_viewers_look_and_do_not_act(viewer, group):
    assert "You may look but not act" in shown(viewer, page(group))
    assert sent(viewer, group, "resolve").status_code == 403
    assert reread(group).status == "unresolved"


def test_shared_factors(viewer):
    for _ in range(8):
        ended_run(payload='{"country": "DE", "id": 1}')
    for _ in range(3):
        run = failed_run(payload='{"country": "CH", "id": 1}', tags=("vip",))
    assert "?shared" in shown(viewer, page(group_of(run)))
    text = shown(viewer, f"{page(group_of(run))}?shared")
    assert "<html" in text
    part = viewer.get(page(group_of(run)), headers={"HX-Request": "true", "HX-Target": "shared"})
    assert part.content.decode().strip() in text
    assert "payload.country" in text
    assert "CH" in text
    assert "3 of 3" in text
    assert "0 of 8" in text
    assert "vip" in text
    assert "payload.id" not in text


def test_too_few_failures_share_nothing(viewer, group):
    ended_run()
    assert "too few to tell" in shown(viewer, f"{page(group)}?shared")


def test_without_successes_nothing_is_compared(viewer, group):
    assert "nothing to compare" in shown(viewer, f"{page(group)}?shared")


def test_the_runs_page_says_how_often_its_error_was_seen(viewer, group):
    run = failed_run(error("order 8 has no card"))
    group = group_of(run)
    for address in (f"/runs/{run.pk}", f"/runs/{run.pk}?tab=attempts"):
        text = shown(viewer, address)
        if "Seen 2 times" in text:
            assert f'href="/errors/{group.pk}"' in text
            return
    raise AssertionError(text)


def test_the_runs_page_knows_what_was_decided(viewer, group):
    errorgroups.resolve(group.pk, actor=ADA, reason="mended")
    pages = [f"/runs/{group.last_run_id}", f"/runs/{group.last_run_id}?tab=attempts"]
    text = "".join(shown(viewer, address) for address in pages)
    assert "Seen for the first time" in text
    assert "by ada: mended" in text
